"""Mean-shifted second moments of rows, per fold of a partition; all that a ridge probe needs of its features.

Moments of blocks add up, so they can be computed anywhere and in any order. Sums of squares are taken of
x − shift, with a shift near the mean: without it, channels whose mean is far larger than their deviation
lose most of their digits. Products and sums are float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import InvalidInput

Floats = NDArray[np.float64]

VERSION = 1
"""Of moments that are kept: raise it with their numbers."""
CONSTANT = 1e-7
"""A feature whose deviation is smaller than this share of its mean is float32 noise: probes leave it out."""
CHUNK_ROWS = 512
"""Rows that are centred at a time: they stay in the cache until they are multiplied."""
MIRRORED_ROWS = 128


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over the rows of each fold."""

    shift: Floats
    """What was subtracted from every row, (D,)."""
    counts: Floats
    """Rows, (folds,)."""
    sums: Floats
    """Σ (x − shift), (folds, D)."""
    grams: Floats
    """Σ (x − shift)(x − shift)ᵀ, (folds, D, D)."""


@dataclass(frozen=True, slots=True)
class Training:
    """What a set of training rows says about the features."""

    rows: float
    mean: Floats
    """Relative to the shift, (D,)."""
    scale: Floats
    """Standard deviation of each feature, (D,); infinite where it is constant, so that its weight is 0."""


def moments_of(rows: NDArray[Any], folds: NDArray[np.integer[Any]], count: int, shift: Floats) -> Moments:
    """Moments of a block of rows (n, D), each in one of `count` folds; a negative fold leaves a row out."""
    width = rows.shape[1]
    counts, sums, grams = np.zeros(count), np.zeros((count, width)), np.zeros((count, width, width))
    centred = np.empty((min(len(rows), CHUNK_ROWS), width))
    for fold in range(count):
        members = np.flatnonzero(folds == fold)
        counts[fold] = len(members)
        for first in range(0, len(members), CHUNK_ROWS):
            chunk = members[first : first + CHUNK_ROWS]
            part = np.subtract(rows[chunk], shift, out=centred[: len(chunk)])
            sums[fold] += part.sum(axis=0)
            _add_lower_gram(grams[fold], part)
        _mirror_lower(grams[fold])
    return Moments(shift, counts, sums, grams)


def _add_lower_gram(gram: Floats, rows: Floats) -> None:
    """Add rowsᵀ rows to the lower triangle of `gram` (D, D), in place: half the work of a product."""
    from scipy.linalg.blas import dsyrk

    if not gram.size:  # rows that are all alike span no axes, of which BLAS cannot say so
        return
    # BLAS reads columns first: our lower triangle is its upper one
    dsyrk(1.0, rows.T, beta=1.0, c=gram.T, overwrite_c=1, lower=0)


def _mirror_lower(gram: Floats) -> None:
    """Copy the lower triangle onto the upper one, a few rows at a time so that both stay in the cache."""
    for first in range(0, len(gram), MIRRORED_ROWS):
        rows = slice(first, first + MIRRORED_ROWS)
        gram[rows, rows.stop :] = gram[rows.stop :, rows].T
        corner = np.tril(gram[rows, rows])
        gram[rows, rows] = corner + np.tril(corner, -1).T


def added(one: Moments, other: Moments) -> Moments:
    """Moments of two disjoint sets of rows; their shifts must be equal."""
    if not np.array_equal(one.shift, other.shift):
        raise InvalidInput("Moments with different shifts cannot be added: give every block the same shift.")
    return Moments(one.shift, one.counts + other.counts, one.sums + other.sums, one.grams + other.grams)


class BlockSum:
    """Adds blocks up in the order of their numbers, whatever the order they arrive in.

    Floating-point sums depend on their order; these do not depend on who computed which block when, nor
    on a block that a scheduler ran twice.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, Moments] = {}
        self._next = 0
        self.total: Moments | None = None
        """Of the blocks 0 … next − 1."""

    def add(self, number: int, block: Moments) -> None:
        """Take block `number`; one that came before is ignored."""
        if number >= self._next:
            self._waiting.setdefault(number, block)
        while self._next in self._waiting:
            block = self._waiting.pop(self._next)
            self.total = block if self.total is None else added(self.total, block)
            self._next += 1


def training_of(moments: Moments, folds: Sequence[int], *, standardise: bool = True) -> Training:
    """Mean and scale of the rows of some folds; with `standardise` off every scale is 1.

    Raises:
        InvalidInput: the folds hold no rows.
    """
    chosen = list(folds)
    rows = float(moments.counts[chosen].sum())
    if not rows:
        raise InvalidInput("There are no rows to train on.")
    mean = moments.sums[chosen].sum(axis=0) / rows
    squares = sum(np.diagonal(moments.grams[fold]) for fold in chosen) - rows * np.square(mean)
    deviation = np.sqrt(np.maximum(squares, 0) / rows)
    return Training(rows, mean, scales(deviation, moments.shift + mean, standardise=standardise))


def scatter_of(moments: Moments, folds: Sequence[int], training: Training) -> Floats:
    """Σ (x − mean)(x − mean)ᵀ over the rows of some folds, whose mean is known, (D, D)."""
    scatter: Floats = np.zeros_like(moments.grams[0])
    for fold in folds:
        scatter += moments.grams[fold]
    scatter -= training.rows * np.outer(training.mean, training.mean)
    return scatter


def scales(deviation: Floats, mean: Floats, *, standardise: bool) -> Floats:
    """What features are divided by, (D,): their deviation, or 1; infinite where a feature is constant."""
    constant = deviation <= CONSTANT * np.abs(mean)
    return np.where(constant, np.inf, deviation if standardise else 1.0)
