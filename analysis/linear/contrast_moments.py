"""Scatter matrices and class means of training rows, for every fold, from one pass over blocks of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from analysis.linear.moments import Floats, Moments, added, moments_of
from analysis.linear.row_blocks import RowBlocks, as_blocks

Masks = np.ndarray[Any, np.dtype[np.bool_]]
Folds = np.ndarray[Any, np.dtype[np.int8]]


@dataclass(frozen=True, slots=True)
class Sums:
    """Plain sums over some rows; they add up and can be taken from each other."""

    rows: int
    total: Floats
    """Sum of the rows, (r,)."""
    products: Floats
    """Sum of x xᵀ, (r, r)."""
    positives: Floats
    """How many rows are positive in each of M contrasts, (M,)."""
    positive_total: Floats
    """Sums of these rows, (M, r)."""
    fourth: float
    """Sum of ‖x‖⁴."""
    weighted: Floats
    """Sum of ‖x‖² x, (r,)."""

    def without(self, other: "Sums") -> "Sums":
        """The sums over the rows that `other` does not have."""
        return Sums(
            self.rows - other.rows,
            self.total - other.total,
            self.products - other.products,
            self.positives - other.positives,
            self.positive_total - other.positive_total,
            self.fourth - other.fourth,
            self.weighted - other.weighted,
        )

    def about(self, point: Floats) -> "Sums":
        """The sums of x − point, for a point near zero: with one far away, digits would cancel."""
        count, square = self.rows, float(point @ point)
        lengths, along = float(np.trace(self.products)), float(point @ self.total)
        bent = self.products @ point
        crossed = np.outer(self.total, point)
        return Sums(
            count,
            self.total - count * point,
            self.products - crossed - crossed.T + count * np.outer(point, point),
            self.positives,
            self.positive_total - self.positives[:, np.newaxis] * point,
            fourth=self.fourth
            + 4 * float(point @ bent)
            + count * square**2
            - 4 * float(self.weighted @ point)
            + 2 * square * lengths
            - 4 * square * along,
            weighted=self.weighted
            - 2 * bent
            + square * self.total
            - point * (lengths - 2 * along + count * square),
        )

    def only(self, contrasts: Sequence[int]) -> "Sums":
        """The sums of some of the contrasts."""
        chosen = list(contrasts)
        return replace(self, positives=self.positives[chosen], positive_total=self.positive_total[chosen])


@dataclass(frozen=True, slots=True)
class ClassMoments:
    """Training rows of M contrasts (each row is positive or negative in each), in r axes."""

    rows: int
    mean: Floats
    """(r,)"""
    positives: Floats
    """(M,)"""
    differences: Floats
    """Mean of the positives − mean of the negatives, (M, r)."""
    scatter: Floats
    """Sum of (x − mean)(x − mean)ᵀ, (r, r)."""
    fourth: float
    """Sum of ‖x − mean‖⁴."""

    @property
    def has_both(self) -> Masks:
        """Which contrasts have positives and negatives here, (M,)."""
        return (self.positives > 0) & (self.positives < self.rows)

    @property
    def between(self) -> Floats:
        """n₊ n₋ / n, (M,): what a mean difference adds to the scatter, per squared length."""
        return self.positives * (self.rows - self.positives) / max(self.rows, 1)


@dataclass(frozen=True, slots=True)
class ContrastMoments(ClassMoments):
    """With the axes of the scatter."""

    eigenvalues: Floats
    """Of the scatter, ascending, none negative, (r,)."""
    axes: Floats
    """Its eigenvectors as columns, (r, r)."""


def sums_by_fold(
    rows: Floats | RowBlocks,
    targets: Masks,
    folds: Folds,
    *,
    shift: Floats | None = None,
    moments: Moments | None = None,
) -> list[Sums]:
    """Sums of x − shift over the rows (N, r) of each fold, with their targets (N, M); one pass over blocks.

    Args:
        rows: near zero already, where there is no shift.
        targets: contrasts.
        folds: of each row.
        shift: a point near the mean.
        moments: by fold and about that point, where somebody has them: most of the work.
    """
    given, count = as_blocks(rows), int(folds.max()) + 1
    shift = np.zeros(given.width) if shift is None else shift
    total = moments
    classes = [_ClassSums.none(targets.shape[1], given.width) for _ in range(count)]
    for place, block in given.blocks():
        if moments is None:
            part = moments_of(block, folds[place], count, shift)
            total = part if total is None else added(total, part)
        for fold, own in enumerate(classes):
            members = folds[place] == fold
            own.add(block[members] - shift, targets[place][members])
    assert total is not None
    return [
        Sums(
            int(total.counts[fold]),
            total.sums[fold],
            total.grams[fold],
            own.positives,
            own.positive_total,
            own.fourth,
            own.weighted,
        )
        for fold, own in enumerate(classes)
    ]


@dataclass(slots=True)
class _ClassSums:
    """What contrasts add to the moments of one fold's rows."""

    positives: Floats
    positive_total: Floats
    fourth: float
    weighted: Floats

    @classmethod
    def none(cls, contrasts: int, width: int) -> "_ClassSums":
        return cls(np.zeros(contrasts), np.zeros((contrasts, width)), 0.0, np.zeros(width))

    def add(self, rows: Floats, targets: Masks) -> None:
        chosen = targets.astype(np.float64)
        lengths = np.einsum("nr,nr->n", rows, rows)
        self.positives += chosen.sum(axis=0)
        self.positive_total += chosen.T @ rows
        self.fourth += float(lengths @ lengths)
        self.weighted += lengths @ rows


def moments_of_trainings(folds: list[Sums]) -> Iterator[ContrastMoments]:
    """Moments of the training rows of each fold (all other folds), then of all rows."""
    everything = all_sums(folds)
    for sums in folds:
        yield contrast_moments(everything.without(sums))
    yield contrast_moments(everything)


def all_sums(folds: list[Sums]) -> Sums:
    """Over the rows of all folds."""
    everything = folds[0]
    for sums in folds[1:]:
        everything = _added(everything, sums)
    return everything


def contrast_moments(sums: Sums) -> ContrastMoments:
    """Means, scatter and its axes from plain sums."""
    known = class_moments(sums)
    eigenvalues, axes = scipy.linalg.eigh(known.scatter, driver="evd")
    return ContrastMoments(
        known.rows,
        known.mean,
        known.positives,
        known.differences,
        known.scatter,
        known.fourth,
        eigenvalues=np.maximum(eigenvalues, 0.0),
        axes=axes,
    )


def class_moments(sums: Sums) -> ClassMoments:
    """Means and scatter from plain sums, which are over rows near zero: nothing cancels."""
    count = max(sums.rows, 1)
    mean = sums.total / count
    negatives = sums.rows - sums.positives
    with np.errstate(invalid="ignore", divide="ignore"):
        positive_means = sums.positive_total / sums.positives[:, np.newaxis]
        negative_means = (sums.total - sums.positive_total) / negatives[:, np.newaxis]
    return ClassMoments(
        rows=sums.rows,
        mean=mean,
        positives=sums.positives,
        differences=np.nan_to_num(positive_means - negative_means),
        scatter=sums.products - count * np.outer(mean, mean),
        fourth=sums.about(mean).fourth,
    )


def _added(one: Sums, other: Sums) -> Sums:
    return Sums(
        one.rows + other.rows,
        one.total + other.total,
        one.products + other.products,
        one.positives + other.positives,
        one.positive_total + other.positive_total,
        one.fourth + other.fourth,
        one.weighted + other.weighted,
    )
