"""Inputs and results of a method that finds directions, and the record that registers such a method.

N rows in D features, M contrasts of them, F folds; r ≤ D orthonormal axes hold all rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.linear.contrast_moments import (
    ContrastMoments,
    Folds,
    Masks,
    Sums,
    moments_of_trainings,
    sums_by_fold,
)
from analysis.linear.moments import Floats
from analysis.linear.row_space import RowSpace


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows in the coordinates of their space, their contrasts and folds.

    Their sums and moments answer most questions; `space.blocks` reads the rows themselves once more.
    """

    space: RowSpace
    targets: Masks
    """(N, M), True where a row is positive."""
    folds: Folds
    """Fold of each row, (N,)."""
    sums: list[Sums]
    """Of each fold."""
    trainings: Sequence[ContrastMoments]
    """One for each fold, without it, and one of all rows."""
    seeds: Sequence[int]
    """Of what a method draws, (M,)."""

    def rows_of(self, training: int) -> Masks:
        """Which rows a training has, (N,)."""
        return np.asarray(self.folds != training)


def problem_of(
    space: RowSpace,
    targets: Masks,
    folds: Folds,
    seeds: Sequence[int],
    *,
    sums: list[Sums] | None = None,
) -> Problem:
    """What methods are given, of rows in their space and targets (N, M) with two classes each.

    The sums of each fold about the mean of all rows take a pass, where nobody has them.
    """
    if sums is None:
        sums = sums_by_fold(SpaceRows(space), targets, folds)
    return Problem(space, targets, folds, sums, list(moments_of_trainings(sums)), seeds)


class SpaceRows:
    """The coordinates of rows in their space, in blocks."""

    def __init__(self, space: RowSpace) -> None:
        self._space, self.width = space, space.axes

    def __len__(self) -> int:
        return self._space.centred.shape[1]

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The rows in fixed blocks, each with its place."""
        return self._space.blocks()

    def whole(self) -> Floats:
        """All rows at once."""
        return self._space.coordinates


@dataclass(frozen=True, slots=True)
class Fit:
    """One method on every training."""

    vectors: Floats
    """From all rows, in the features, before they are normalised, (M, D)."""
    units: Floats
    """Per fold the unit vector without it, in the coordinates of the space, (F, M, r)."""
    penalties: Floats | None = None
    """(M,)"""
    readers: Floats | None = None
    """Of erasers, (M, D)."""


@dataclass(frozen=True, slots=True)
class DirectionMethod:
    """A way from labelled rows to directions: what an entry point of undertone.directions names."""

    fit: Callable[[Problem, float | None], Fit]
    """Given a penalty too, where one was named; the method chooses it otherwise."""
    has_penalty: bool = False
    """Whether a penalty may be named, as in mse:0.1."""
    version: int = 1
    """Of its numbers: raise it when they change, and stored directions of the method are fitted anew."""


class RowMethod(Protocol):
    """A direction of one contrast, from rows alone.

    `rows` (n, D) are float64 about the mean of all rows, `positive` (n,) is True for rows of the class that
    the direction shall point to; both classes are there. Returned is one vector (D,) in the same features, of
    any length above 0, towards the positives. The same rows give the same vector.
    """

    def __call__(self, rows: Floats, positive: Masks) -> Floats: ...


def on_rows(function: RowMethod) -> DirectionMethod:
    """A method from a function of rows: it is called for every contrast, without each fold and with all."""

    def fit(problem: Problem, _penalty: float | None) -> Fit:
        rows = problem.space.embedded(problem.space.coordinates)
        fits = np.zeros((len(problem.trainings), problem.targets.shape[1], rows.shape[1]))
        for place, training in enumerate(problem.trainings):
            used = problem.rows_of(place)
            for contrast in np.flatnonzero(training.has_both):
                fits[place, contrast] = function(rows[used], problem.targets[used, contrast])
        return Fit(fits[-1], problem.space.reduced(units(fits[:-1])))

    return DirectionMethod(fit)


def fit_of(problem: Problem, weights: Sequence[Floats], penalties: Floats | None = None) -> Fit:
    """From weights (M, r) without each fold, then from all rows."""
    return Fit(problem.space.embedded(weights[-1]), units(np.stack(weights[:-1])), penalties)


def units(vectors: Floats) -> Floats:
    """Each at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
