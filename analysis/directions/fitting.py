"""Directions that tell positives from negatives, by several methods, measured on held-out rows."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.directions.fits import DirectionMethod, Fit, Problem, SpaceRows, problem_of
from analysis.directions.separation import Separation, random_scores, separation
from analysis.group_intervals import training_factor
from analysis.linear.columns import Columns
from analysis.linear.contrast_moments import Folds, Masks, Sums, all_sums, class_moments, sums_by_fold
from analysis.linear.moments import Floats, Moments
from analysis.linear.row_blocks import RowBlocks, as_blocks, first_mean, solves_by_rows
from analysis.linear.row_space import RowSpace, features_about, row_space
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
    penalty: float | None
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
    rows: np.ndarray | RowBlocks,
    targets: Masks,
    *,
    folds: Folds,
    groups: np.ndarray[Any, Any],
    methods: Sequence[Method] = METHODS,
    seeds: Sequence[int] = (),
    moments: Moments | None = None,
) -> list[dict[Method, Direction]]:
    """Directions for each contrast, by method; none where the means of its classes are the same.

    Projections are measured on held-out rows: each fold on the direction that the other folds give, since
    with fewer rows than features every fitted direction separates its own rows perfectly. Penalties are
    chosen on held-out folds, by nested cross-validation: for its own projections a fold has no say.

    Of more rows than features a block is held at a time, whether they come from memory or from a store.

    Args:
        rows: (N, D), in memory or in blocks.
        targets: (N, M), True where a row is positive, False where it is negative.
        folds: fold of each row, (N,).
        groups: what folds do not cut through, (N,).
        methods: which ones.
        seeds: of the random direction of each contrast, (M,).
        moments: of the rows by fold, about any point near their mean, where somebody has them; they are used
            where there are more rows than features.
    """
    given = as_blocks(rows)
    space, sums = _space_and_sums(given, targets, folds, moments)
    apart: list[int] = np.flatnonzero(_are_apart(space, sums)).tolist()
    found: list[dict[Method, Direction]] = [{} for _ in range(targets.shape[1])]
    if not apart:
        return found
    seeds = [(seeds or range(len(found)))[place] for place in apart]
    targets = targets[:, apart]
    problem = problem_of(space, targets, folds, seeds, sums=[own.only(apart) for own in sums])
    random = random_scores(space, targets)
    fits = {method: _fitted(problem, method) for method in methods}
    codes = np.unique(groups, return_inverse=True)[1]
    training = training_factor(Partition(folds, len(sums), tuple(range(len(sums)))), codes)
    with _held_out_projections(problem, list(fits.values())) as projections:
        for number, (method, fit) in enumerate(fits.items()):
            for contrast, place in enumerate(apart):
                own = projections.column(number * len(apart) + contrast)
                known = _known(problem, fit, contrast, own)
                if known is not None:
                    held_out = _measured(known.projections, targets[:, contrast], codes, training)
                    found[place][method] = known.direction(held_out, float(random[contrast]))
    return found


def _space_and_sums(
    rows: RowBlocks, targets: Masks, folds: Folds, moments: Moments | None
) -> tuple[RowSpace, list[Sums]]:
    """The space of rows, and the sums of each fold about their mean: one pass where rows are many."""
    if solves_by_rows(rows):
        space = row_space(rows)
        return space, sums_by_fold(SpaceRows(space), targets, folds)
    shift = first_mean(rows) if moments is None else moments.shift
    sums = sums_by_fold(rows, targets, folds, shift=shift, moments=moments)
    total = all_sums(sums).total
    space = features_about(rows, total + len(rows) * shift)
    return space, [own.about(total / len(rows)) for own in sums]


def _are_apart(space: RowSpace, sums: list[Sums]) -> Masks:
    """Which contrasts have two classes whose means differ by more than rounding, (M,)."""
    everything = all_sums(sums)
    lengths = np.linalg.norm(class_moments(everything).differences, axis=1)
    lengths[(everything.positives == 0) | (everything.positives == everything.rows)] = 0
    typical = np.sqrt(np.trace(everything.products) / everything.rows + space.mean @ space.mean)
    return np.asarray(lengths > SMALLEST_DIFFERENCE * typical)


def _fitted(problem: Problem, method: Method) -> Fit:
    name, penalty = split_method(method)
    contrasts, width = problem.targets.shape[1], len(problem.space.mean)
    with DIRECTIONS.called(name):
        fit = _method(name).fit(problem, penalty)
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
    penalty = float(text) if _PENALTY.fullmatch(text) else 0.0
    if not _has_penalty(name) or not (math.isfinite(penalty) and penalty > 0):
        penalised = " and ".join(filter(_has_penalty, METHODS))
        raise InvalidInput(
            f"The method {method!r} cannot be read: {penalised} take a penalty above 0, as in mse:0.1."
        )
    return name, penalty


def _has_penalty(name: str) -> bool:
    return _method(name).has_penalty


def _held_out_projections(problem: Problem, fits: Sequence[Fit]) -> Columns:
    """Of each row, about the mean of all, on the directions that the other folds gave; NaN without one.

    A column for each fit and contrast; a pass over the rows.
    """
    contrasts = problem.targets.shape[1]
    found = Columns(len(problem.folds), len(fits) * contrasts)
    usable = [np.tile(training.has_both, len(fits)) for training in problem.trainings[:-1]]
    directions = np.concatenate([fit.units for fit in fits], axis=1)
    for rows, block in problem.space.blocks():
        projections = np.full((len(block), len(fits) * contrasts), np.nan)
        for fold, kept in enumerate(usable):
            members = problem.folds[rows] == fold
            projections[np.ix_(members, kept)] = block[members] @ directions[fold][kept].T
        found.put(rows, projections)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """A direction, and where the rows that it was not fitted to project."""

    unit: Floats
    norm: float
    penalty: float | None
    cosine: float
    reader: Floats | None
    reader_offset: float | None
    projections: Floats

    def direction(self, held_out: Separation | None, random_score: float) -> Direction:
        return Direction(
            self.unit,
            self.norm,
            self.penalty,
            self.cosine,
            held_out,
            random_score,
            self.reader,
            self.reader_offset,
        )


def _known(problem: Problem, fit: Fit, contrast: int, projections: Floats) -> _Known | None:
    """One contrast of a fit; None where the method gave no direction."""
    vector, mean = fit.vectors[contrast], problem.space.mean
    norm = float(np.linalg.norm(vector))
    if norm == 0:
        return None
    unit = vector / norm
    reader = None if fit.readers is None else fit.readers[contrast]
    return _Known(
        unit,
        norm,
        None if fit.penalties is None else float(fit.penalties[contrast]),
        _cosine(unit, problem.space.embedded(problem.trainings[-1].differences[contrast])),
        reader,
        None if reader is None else float(reader @ mean),
        projections + mean @ unit,
    )


def _measured(
    projections: Floats, positive: Masks, groups: np.ndarray[Any, Any], training: float
) -> Separation | None:
    known = ~np.isnan(projections)
    return separation(projections[known], positive[known], groups=groups[known], training=training)


def _cosine(one: Floats, other: Floats) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths > 0 else 0.0
