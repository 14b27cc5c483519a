"""Scatter matrices and class means of training rows, for every fold, from one pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from analysis.linear.row_space import Floats

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

    def without(self, other: "Sums") -> "Sums":
        """The sums over the rows that `other` does not have."""
        return Sums(
            self.rows - other.rows,
            self.total - other.total,
            self.products - other.products,
            self.positives - other.positives,
            self.positive_total - other.positive_total,
        )


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


def sums_by_fold(coordinates: Floats, targets: Masks, folds: Folds) -> list[Sums]:
    """Sums of the rows (N, r) of each fold, with their targets (N, M)."""
    return [_sums(coordinates[folds == fold], targets[folds == fold]) for fold in range(int(folds.max()) + 1)]


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
    )


def _sums(rows: Floats, targets: Masks) -> Sums:
    chosen = targets.astype(np.float64)
    return Sums(len(rows), rows.sum(axis=0), rows.T @ rows, chosen.sum(axis=0), chosen.T @ rows)


def _added(one: Sums, other: Sums) -> Sums:
    return Sums(
        one.rows + other.rows,
        one.total + other.total,
        one.products + other.products,
        one.positives + other.positives,
        one.positive_total + other.positive_total,
    )
