"""Logistic regression of many contrasts on many training sets, in the axes of a row space."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.linear.contrast_moments import Masks
from analysis.linear.logistic import Batch, LogisticFit, fit_logistic
from analysis.linear.row_space import Floats

LOGISTIC_STRENGTHS: Floats = np.logspace(-4, 2, 4)
"""Penalties tried, in the unit of the MSE probe's: the mean variance of the axes."""
MOST_ITERATIONS = 300
SMALLEST_GRADIENT = 1e-5


def logistic_paths(
    coordinates: Floats,
    targets: Masks,
    trainings: Sequence[Masks],
    unit: float,
    strengths: Floats = LOGISTIC_STRENGTHS,
) -> list[Floats]:
    """Weights (S, M, r) of each training.

    The penalty is strength · n · unit, with one scale for all axes: scaling each by its own deviation would
    make the solution depend on the choice of axes.

    Args:
        coordinates: rows about their mean, (N, r).
        targets: (N, M).
        trainings: which rows each has, (N,) each.
        unit: mean variance of the axes.
        strengths: ascending, (S,).
    """
    contrasts = targets.shape[1]
    batch = _batch(coordinates, targets, trainings, np.sqrt(unit))
    fits: list[LogisticFit] = []
    for strength in strengths[::-1]:  # the strongest is solved in few steps and starts the next
        same = np.full((1, len(trainings) * contrasts), strength)
        fits.append(
            fit_logistic(
                batch,
                same,
                start=fits[-1] if fits else None,
                tolerance=SMALLEST_GRADIENT,
                max_iterations=MOST_ITERATIONS,
            )
        )
    shape = (len(fits), len(trainings), contrasts, -1)
    weights = np.stack([fit.weights for fit in fits[::-1]]).reshape(shape) / np.sqrt(unit)
    return [weights[:, place] for place in range(len(trainings))]


def _batch(coordinates: Floats, targets: Masks, trainings: Sequence[Masks], scale: np.floating[Any]) -> Batch:
    """Problems in the order (training, contrast)."""
    contrasts = targets.shape[1]
    masks = np.stack(trainings).astype(np.float64)
    means = masks @ coordinates / np.maximum(masks.sum(axis=1, keepdims=True), 1)
    repeated = np.repeat(means, contrasts, axis=0)[np.newaxis]
    return Batch(
        features=coordinates[np.newaxis],
        targets=np.tile(targets.T.astype(np.float64), (len(trainings), 1))[..., np.newaxis],
        training=np.repeat(masks, contrasts, axis=0),
        mean=repeated,
        scale=np.full(repeated.shape, scale),
    )
