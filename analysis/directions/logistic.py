"""Logistic regression of many contrasts on many training sets, in the axes of a row space."""

from collections.abc import Sequence

import numpy as np

from analysis.directions.fits import Problem
from analysis.directions.penalties import LeftOut
from analysis.linear.logistic import Batch, LogisticFit, Problems, Spectrum, fit_logistic
from analysis.linear.moments import Floats

LOGISTIC_PENALTIES: Floats = np.logspace(-4, 2, 4)
"""Penalties tried, in the unit of the MSE probe's: the mean variance of the axes."""
MOST_ITERATIONS = 300
SMALLEST_GRADIENT = 1e-5


def logistic_paths(
    problem: Problem, left_out: Sequence[LeftOut], unit: float, penalties: Floats = LOGISTIC_PENALTIES
) -> list[Floats]:
    """Weights (S, M, r) of each training.

    ‖w‖² / 2 counts penalty · n · unit, with one scale for all axes: scaling each by its own deviation would
    make the solution depend on the choice of axes.

    Args:
        problem: rows, contrasts and folds.
        left_out: folds that each training has not seen.
        unit: mean variance of the axes.
        penalties: ascending, (S,).
    """
    contrasts = problem.targets.shape[1]
    batch = _batch(problem, left_out, float(np.sqrt(unit)))
    fits: list[LogisticFit] = []
    for penalty in penalties[::-1]:  # the strongest is solved in few steps and starts the next
        same = np.full((1, len(left_out) * contrasts), penalty)
        fits.append(
            fit_logistic(
                batch,
                same,
                start=fits[-1] if fits else None,
                tolerance=SMALLEST_GRADIENT,
                max_iterations=MOST_ITERATIONS,
            )
        )
    shape = (len(fits), len(left_out), contrasts, -1)
    weights = np.stack([fit.weights for fit in fits[::-1]]).reshape(shape) / np.sqrt(unit)
    return [weights[:, place] for place in range(len(left_out))]


def _batch(problem: Problem, left_out: Sequence[LeftOut], scale: float) -> Batch:
    """Problems in the order (training, contrast)."""
    contrasts, folds = problem.targets.shape[1], len(problem.sums)
    trained = np.array([[fold not in out for fold in range(folds)] for out in left_out])
    counts = trained @ np.array([sums.rows for sums in problem.sums], np.float64)
    means = trained @ np.stack([sums.total for sums in problem.sums]) / np.maximum(counts, 1)[:, np.newaxis]
    repeated = np.repeat(means, contrasts, axis=0)[np.newaxis]
    whole = problem.trainings[-1]
    known = Spectrum(whole.eigenvalues[np.newaxis] / (whole.rows * scale**2), whole.axes[np.newaxis])
    return Batch(
        features=problem.space.centred,
        problems=Problems(
            codes=problem.targets.T.astype(np.int8),
            cells=problem.folds,
            labelling=np.tile(np.arange(contrasts), len(left_out)),
            trained=np.repeat(trained, contrasts, axis=0),
            positive=np.ones(len(left_out) * contrasts, np.int8),
        ),
        rows=np.repeat(counts, contrasts),
        mean=repeated,
        scale=np.full(repeated.shape, scale),
        spectrum=known,
    )
