"""Directions that tell positives from negatives, by several methods, measured on held-out rows."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.directions.fits import DirectionMethod, Fit, Problem, problem_of
from analysis.directions.separation import Separation, random_scores, separation
from analysis.group_intervals import training_factor
from analysis.linear.contrast_moments import Folds, Masks
from analysis.linear.row_space import Floats, RowSpace, row_space
from analysis.splits import Partition
from store.errors import BrokenPlugin, InvalidInput
from store.extensions import DIRECTIONS

Estimator = str
"""Name of a method that is built in or a plug-in's."""
METHODS: tuple[Estimator, ...] = tuple(DIRECTIONS.built_in)
"""Those that are built in; "all" means them."""
Method = str
"""Name of an estimator; those with a penalty may name it too: "mse:0.1"."""

SMALLEST_DIFFERENCE = 1e-12
"""Of class means, over the length of the rows: a smaller one is rounding, and points nowhere."""
_PENALTY = re.compile(r"[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Direction:
    """A unit vector with what is known of it."""

    vector: Floats
    """(D,), length 1; positives project higher, except for random directions, which nobody has turned."""
    norm: float
    """Length before it was normalised: for diffmean the distance between the means."""
    strength: float | None
    """Penalty over the mean variance of the axes, where a method has one; inf: the mean difference."""
    cosine_to_mean_difference: float
    held_out: Separation | None
    """Of rows that the direction was not fitted to; None where no fold has both classes on either side."""
    random_score: float
    """ROC-AUC that random directions stay within, see `random_scores`."""
    reader: Floats | None = None
    """Of leace: q, (D,), which reads off a row how much of the direction is erased; q · vector = 1."""
    reader_offset: float | None = None
    """q · μ, so that x − vector (q · x − offset) leaves the mean of the rows where it is."""


def fit_directions(
    rows: np.ndarray,
    targets: Masks,
    *,
    folds: Folds,
    groups: np.ndarray[Any, Any],
    methods: Sequence[Method] = METHODS,
    seeds: Sequence[int] = (),
) -> list[dict[Method, Direction]]:
    """Directions for each contrast, by method; none where the means of its classes are the same.

    Projections are measured on held-out rows: each fold on the direction that the other folds give, since
    with fewer rows than features every fitted direction separates its own rows perfectly. Penalties are
    chosen on held-out folds, by nested cross-validation: for its own projections a fold has no say.

    Args:
        rows: (N, D).
        targets: (N, M), True where a row is positive, False where it is negative.
        folds: fold of each row, (N,).
        groups: what folds do not cut through, (N,).
        methods: which ones.
        seeds: of the random direction of each contrast, (M,).
    """
    space = row_space(rows)
    apart: list[int] = np.flatnonzero(_are_apart(rows, space, targets)).tolist()
    found: list[dict[Method, Direction]] = [{} for _ in range(targets.shape[1])]
    if not apart:
        return found
    seeds = [(seeds or range(len(found)))[place] for place in apart]
    targets = targets[:, apart]
    problem = problem_of(space, targets, folds, seeds)
    differences = space.embedded(problem.trainings[-1].differences)
    random = random_scores(space, targets)
    training = training_factor(Partition(folds, len(problem.sums), tuple(range(len(problem.sums)))), groups)
    for method in methods:
        fit = _fitted(problem, method)
        held_out = _held_out_projections(problem, fit)
        vectors = fit.vectors
        for contrast, directions in enumerate(found[place] for place in apart):
            penalty = None if fit.strengths is None else float(fit.strengths[contrast])
            norm = float(np.linalg.norm(vectors[contrast]))
            if norm == 0:
                continue
            unit = vectors[contrast] / norm
            projections = held_out[:, contrast] + space.mean @ unit
            measured = _measured(projections, targets[:, contrast], groups, training)
            cosine = _cosine(unit, differences[contrast])
            reader = None if fit.readers is None else fit.readers[contrast]
            directions[method] = Direction(
                unit,
                norm,
                penalty,
                cosine,
                measured,
                float(random[contrast]),
                reader,
                None if reader is None else float(reader @ space.mean),
            )
    return found


def _are_apart(rows: np.ndarray, space: RowSpace, targets: Masks) -> Masks:
    """Which contrasts have two classes whose means differ by more than rounding, (M,)."""
    positives = targets.sum(axis=0, dtype=np.float64)[:, np.newaxis]
    totals = targets.T.astype(np.float64) @ space.coordinates
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = totals / positives + totals / (len(targets) - positives)  # the column means are zero
    lengths = np.linalg.norm(np.nan_to_num(differences, nan=0.0, posinf=0.0, neginf=0.0), axis=1)
    typical = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1).mean())
    return np.asarray(lengths > SMALLEST_DIFFERENCE * typical)


def _fitted(problem: Problem, method: Method) -> Fit:
    name, strength = split_method(method)
    contrasts, width = problem.targets.shape[1], len(problem.space.mean)
    with DIRECTIONS.called(name):
        fit = _method(name).fit(problem, strength)
        if fit.vectors.shape != (contrasts, width) or not np.isfinite(fit.vectors).all():
            raise BrokenPlugin(
                f"it gave vectors of shape {fit.vectors.shape}, or some that are not finite; it should give "
                f"{contrasts} of {width} numbers."
            )
    return fit


def _method(name: Estimator) -> DirectionMethod:
    """What is built in is meant by its name, also where a plug-in has it; users' words are checked before."""
    return DIRECTIONS.load(name, DirectionMethod, unasked=name in METHODS)


def version_of(name: Estimator) -> int:
    """Version of an estimator's numbers: it is raised when they change."""
    return _method(name).version


def split_method(method: Method) -> tuple[Estimator, float | None]:
    """From "mse:0.1" to ("mse", 0.1), from "mse" to ("mse", None): the penalty is then chosen.

    Raises:
        InvalidInput: there is no such method, or it has no penalty to name.
    """
    name, colon, text = method.partition(":")
    known = DIRECTIONS.names()
    if name not in known:
        raise InvalidInput(f"There is no method {name!r}; methods are {', '.join(known)}, or all.")
    if not colon:
        return name, None
    strength = float(text) if _PENALTY.fullmatch(text) else 0.0
    if not _has_penalty(name) or not (math.isfinite(strength) and strength > 0):
        penalised = " and ".join(filter(_has_penalty, METHODS))
        raise InvalidInput(
            f"The method {method!r} cannot be read: {penalised} take a penalty above 0, as in mse:0.1."
        )
    return name, strength


def _has_penalty(name: str) -> bool:
    return _method(name).has_penalty


def _held_out_projections(problem: Problem, fit: Fit) -> Floats:
    """Of each row, about the mean of all, on the direction that the other folds gave; NaN without one."""
    projections = np.full(problem.targets.shape, np.nan)
    for fold, training in enumerate(problem.trainings[:-1]):
        rows = problem.folds == fold
        usable = training.has_both
        projections[np.ix_(rows, usable)] = problem.space.coordinates[rows] @ fit.units[fold][usable].T
    return projections


def _measured(
    projections: Floats, positive: Masks, groups: np.ndarray[Any, Any], training: float
) -> Separation | None:
    known = ~np.isnan(projections)
    return separation(projections[known], positive[known], groups=groups[known], training=training)


def _cosine(one: Floats, other: Floats) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 0.0
