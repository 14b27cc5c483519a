"""Directions that tell positives from negatives, by several methods, measured on held-out rows."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from analysis.contrast_moments import (
    ContrastMoments,
    Folds,
    Masks,
    Sums,
    all_sums,
    class_moments,
    moments_of_trainings,
    sums_by_fold,
)
from analysis.direction_methods import (
    STRENGTHS,
    discriminants,
    eraser_readers,
    ledoit_wolf_penalty,
    mean_variance,
    reading_vectors,
    ridge_path,
    ridge_path_without_axes,
)
from analysis.direction_penalties import LeftOut, choose_penalties, left_out_pairs, training_rows
from analysis.group_intervals import training_factor
from analysis.logistic_directions import LOGISTIC_STRENGTHS, logistic_paths
from analysis.random_directions import random_scores
from analysis.row_space import Floats, RowSpace, row_space
from analysis.separation import Separation, separation
from analysis.splits import Partition
from store.errors import InvalidInput

Estimator = Literal["mse", "logistic", "diffmean", "mass_mean", "pca", "leace", "random"]
METHODS: tuple[Estimator, ...] = get_args(Estimator)
PENALISED: tuple[Estimator, ...] = ("mse", "logistic")
Method = str
"""Name of an estimator; those with a penalty may name it too: "mse:0.1"."""

VERSIONS: Mapping[Estimator, int] = {
    "mse": 1,
    "logistic": 1,
    "diffmean": 1,
    "mass_mean": 1,
    "pca": 1,
    "leace": 1,
    "random": 1,
}
"""Of each method: raise one with its numbers."""
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


@dataclass(frozen=True, slots=True)
class _Problem:
    """Rows in the coordinates of their space, their contrasts and folds."""

    space: RowSpace
    targets: Masks
    folds: Folds
    sums: list[Sums]
    """Of each fold."""
    trainings: Sequence[ContrastMoments]
    """One for each fold, without it, and one of all rows."""
    seeds: Sequence[int]

    def rows_of(self, training: int) -> Masks:
        """Which rows a training has, (N,)."""
        return np.asarray(self.folds != training)


@dataclass(frozen=True, slots=True)
class _Fit:
    """One method on every training."""

    vectors: Floats
    """From all rows, in the features, before they are normalised, (M, D)."""
    units: Floats
    """Per fold the unit vector without it, in the coordinates of the space, (F, M, r)."""
    strengths: Floats | None = None
    """(M,)"""
    readers: Floats | None = None
    """Of erasers, (M, D)."""


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
    sums = sums_by_fold(space.coordinates, targets, folds)
    trainings = list(moments_of_trainings(sums))
    problem = _Problem(space, targets, folds, sums, trainings, seeds)
    differences = space.embedded(trainings[-1].differences)
    random = random_scores(space, targets)
    training = training_factor(Partition(folds, len(sums), tuple(range(len(sums)))), groups)
    for method in methods:
        fit = _fitted(problem, *split_method(method))
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


def _fitted(problem: _Problem, estimator: Estimator, strength: float | None) -> _Fit:
    if estimator in _PENALISED:
        return _PENALISED[estimator](problem, strength)
    return _FREE[estimator](problem)


def split_method(method: Method) -> tuple[Estimator, float | None]:
    """From "mse:0.1" to ("mse", 0.1), from "mse" to ("mse", None): the penalty is then chosen.

    Raises:
        InvalidInput: there is no such method, or it has no penalty to name.
    """
    name, colon, text = method.partition(":")
    found = next((estimator for estimator in METHODS if estimator == name), None)
    if found is None:
        raise InvalidInput(f"There is no method {name!r}; methods are {', '.join(METHODS)}, or all.")
    if not colon:
        return found, None
    strength = float(text) if _PENALTY.fullmatch(text) else 0.0
    if found not in PENALISED or not (math.isfinite(strength) and strength > 0):
        raise InvalidInput(
            f"The method {method!r} cannot be read: {' and '.join(PENALISED)} take a penalty above 0, "
            "as in mse:0.1."
        )
    return found, strength


def _held_out_projections(problem: _Problem, fit: _Fit) -> Floats:
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


def _fit(problem: _Problem, weights: Sequence[Floats], strengths: Floats | None = None) -> _Fit:
    """From weights (M, r) without each fold, then from all rows."""
    return _Fit(problem.space.embedded(weights[-1]), _units(np.stack(weights[:-1])), strengths)


def _mean_differences(problem: _Problem) -> _Fit:
    return _fit(problem, [training.differences for training in problem.trainings])


def _erased_differences(problem: _Problem) -> _Fit:
    """LEACE's direction is the mean difference: of two classes the covariance with the label is along it.

    Its own is what it reads to erase, with Ledoit and Wolf's covariance, as few rows have no inverse.
    """
    everything = len(problem.trainings) - 1
    readers = eraser_readers(problem.trainings[-1], _shrinkage(problem, everything))
    return replace(_mean_differences(problem), readers=problem.space.embedded(readers))


def _shrinkage(problem: _Problem, place: int) -> float:
    training = problem.trainings[place]
    rows = problem.space.coordinates[problem.rows_of(place)] - training.mean
    return ledoit_wolf_penalty(training, (rows**2).sum(axis=1), len(problem.space.mean))


def _mass_means(problem: _Problem) -> _Fit:
    penalties = [_shrinkage(problem, place) for place in range(len(problem.trainings))]
    weights = [discriminants(*pair) for pair in zip(problem.trainings, penalties, strict=True)]
    strength = penalties[-1] / mean_variance(problem.trainings[-1].eigenvalues)
    return _fit(problem, weights, np.full(problem.targets.shape[1], strength))


def _reading_vectors(problem: _Problem) -> _Fit:
    weights = []
    for place, training in enumerate(problem.trainings):
        rows = problem.rows_of(place)
        weights.append(reading_vectors(training, problem.space.coordinates[rows], problem.targets[rows]))
    return _fit(problem, weights)


def _random_vectors(problem: _Problem) -> _Fit:
    """A unit vector in D per contrast, the same for the same seed and whatever the rows are."""
    width = len(problem.space.mean)
    draws = [np.random.default_rng(seed).standard_normal(width) for seed in problem.seeds]
    vectors = _units(np.stack(draws))
    seen = problem.space.reduced(vectors)
    return _Fit(vectors, np.stack([seen] * (len(problem.trainings) - 1)))


def _ridge(problem: _Problem, strength: float | None) -> _Fit:
    strengths: Floats = STRENGTHS if strength is None else np.array([strength])
    paths = {
        out: ridge_path(training, strengths)
        for out, training in zip(_held_out(problem), problem.trainings, strict=True)
    }
    for pair in left_out_pairs(problem.folds) if strength is None else ():
        kept = [sums for fold, sums in enumerate(problem.sums) if fold not in pair]
        paths[pair] = ridge_path_without_axes(class_moments(all_sums(kept)), strengths)
    return _best_of(problem, paths, strengths)


def _logistic(problem: _Problem, strength: float | None) -> _Fit:
    everything = problem.trainings[-1]
    unit = mean_variance(everything.eigenvalues) / everything.rows
    strengths: Floats = LOGISTIC_STRENGTHS if strength is None else np.array([strength])
    left_out = [*_held_out(problem), *(left_out_pairs(problem.folds) if strength is None else ())]
    trainings = [training_rows(problem.folds, out) for out in left_out]
    paths = logistic_paths(problem.space.coordinates, problem.targets, trainings, unit, strengths)
    return _best_of(problem, dict(zip(left_out, paths, strict=True)), strengths)


def _best_of(problem: _Problem, paths: Mapping[LeftOut, Floats], strengths: Floats) -> _Fit:
    """The penalty whose directions do best on held-out folds, chosen anew for each fold that is projected."""
    held_out = _held_out(problem)
    choices = choose_penalties(problem.space.coordinates, problem.targets, problem.folds, paths, held_out)
    contrasts = np.arange(problem.targets.shape[1])
    weights = [paths[out][choice, contrasts] for out, choice in zip(held_out, choices, strict=True)]
    return _fit(problem, weights, strengths[choices[-1]])


def _held_out(problem: _Problem) -> list[LeftOut]:
    """Each fold, then none: as `problem.trainings`."""
    return [*(frozenset({fold}) for fold in range(len(problem.sums))), frozenset()]


_PENALISED: dict[str, Callable[[_Problem, float | None], _Fit]] = {"mse": _ridge, "logistic": _logistic}
_FREE: dict[str, Callable[[_Problem], _Fit]] = {
    "diffmean": _mean_differences,
    "mass_mean": _mass_means,
    "pca": _reading_vectors,
    "leace": _erased_differences,
    "random": _random_vectors,
}


def _units(vectors: Floats) -> Floats:
    """Each at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)


def _cosine(one: Floats, other: Floats) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 0.0
