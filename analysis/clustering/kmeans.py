"""k-means as pure steps: Lloyd's iteration over blocks of rows, for many starts at once.

A block gives each start its sums; sums of blocks add up; from the sums of all rows follow the inertia of the
present centres and the next ones. So the steps run alike over an array and over blocks on many machines, and
one product of matrices serves all starts. A start's sums do not depend on what is computed beside it,
but for how a product of another width rounds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Rows = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]

VERSION = 1
"""Of clusterings, with their starts: raise it with their numbers."""
BLOCK_BYTES = 2_000_000
"""Rows that a core's cache still holds when they are read a second time."""
MOST_ITERATIONS = 300
TOLERANCE = 1e-4
"""Of the mean variance: centres that move less are at rest, as in scikit-learn."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What some rows contribute to one start with k centres."""

    counts: NDArray[np.float64]
    """Rows nearest to each centre, (k,)."""
    totals: NDArray[np.float64]
    """Sums of these rows, (k, D)."""

    def plus(self, other: "Sums") -> "Sums":
        """The sums of both sets of rows."""
        return Sums(self.counts + other.counts, self.totals + other.totals)


@dataclass(frozen=True, slots=True)
class Search:
    """One start on its way to rest."""

    centers: Rows
    """(k, D)"""
    inertia: float = np.inf
    """Sum of squared distances to the nearest centre; of the present centres once the search has ended."""
    iterations: int = 0
    state: Literal["moving", "settled", "ended"] = "moving"
    """Settled: the centres stay, their inertia is not known yet."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What has to be known of all rows, and stays the same in every pass over them."""

    squares: float
    """Sum of squared lengths."""
    tolerance: float
    """Squared movement of all centres together at which they are at rest."""


Farthest = Callable[[Rows, int], tuple[Rows, Labels]]
"""(centres, m) → the m rows farthest from their nearest centre, farthest first, and which centre that is."""


def nearest_centers(rows: Rows, starts: Sequence[Rows]) -> list[Labels]:
    """For each start the number of the nearest of its centres, (n,)."""
    return [scores.argmax(axis=1) for scores, _ in _scores(rows, starts)]


def block_sums(rows: Rows, starts: Sequence[Rows]) -> list[Sums]:
    """What a block of rows (n, D) contributes to each start."""
    labels = nearest_centers(rows, starts)
    firsts = np.cumsum([0, *(len(centers) for centers in starts)])
    clusters = np.concatenate([found + first for found, first in zip(labels, firsts, strict=False)])
    ones = np.ones(len(clusters), rows.dtype)
    places = np.tile(np.arange(len(rows)), len(starts))
    membership = scipy.sparse.csr_array((ones, (clusters, places)), shape=(int(firsts[-1]), len(rows)))
    totals = np.asarray(membership @ rows, np.float64)
    counts = np.bincount(clusters, minlength=int(firsts[-1])).astype(np.float64)
    return [Sums(counts[first:last], totals[first:last]) for first, last in pairwise(firsts)]


def farthest_rows(rows: Rows, centers: Rows, count: int) -> tuple[NDArray[np.float64], Labels, Labels]:
    """The rows farthest from their centre, farthest first: squared distances, which rows, which centres."""
    ((scores, _),) = _scores(rows, [centers])
    labels = scores.argmax(axis=1)
    distances = ((rows - centers[labels]) ** 2).sum(axis=1, dtype=np.float64)
    found = np.argsort(-distances, kind="stable")[:count]
    return distances[found], found, labels[found]


def advanced(search: Search, sums: Sums, spread: Spread, farthest: Farthest) -> Search:
    """The search after a pass over all rows that gave `sums` for its centres."""
    centers = search.centers
    inertia = _inertia(centers, sums, spread)
    if search.state == "settled":
        return replace(search, inertia=inertia, state="ended")
    following = _means(centers, _without_empty(centers, sums, farthest)).astype(centers.dtype)
    iterations = search.iterations + 1
    movement = float(((following - centers) ** 2).sum(dtype=np.float64))
    if movement == 0:
        return Search(centers, inertia, iterations, "ended")
    at_rest = movement <= spread.tolerance or iterations >= MOST_ITERATIONS
    return Search(following, inertia, iterations, "settled" if at_rest else "moving")


def spread_of(rows: Rows, *, tolerance: float = TOLERANCE) -> Spread:
    """Sum of squares and tolerance of movement of rows (N, D) that lie about zero."""
    squares = sum(squared_length(block) for block in blocks_of(rows))
    return Spread(squares, tolerance * float(rows.var(axis=0, dtype=np.float64).mean()))


def squared_length(rows: Rows) -> float:
    """Sum of squares of all numbers, in float64 and without a copy in it."""
    return float(np.einsum("nd,nd->", rows, rows, dtype=np.float64))


def lloyd(rows: Rows, starts: Sequence[Rows | Search], *, tolerance: float = TOLERANCE) -> list[Search]:
    """Every start followed to its end over rows (N, D) in memory, which lie about zero; settled ones stay."""
    spread = spread_of(rows, tolerance=tolerance)

    def farthest(centers: Rows, count: int) -> tuple[Rows, Labels]:
        _, places, labels = farthest_rows(rows, centers, count)
        return rows[places], labels

    searches = [one if isinstance(one, Search) else Search(np.asarray(one, rows.dtype)) for one in starts]
    while moving := [place for place, search in enumerate(searches) if search.state != "ended"]:
        sums = total_sums(
            block_sums(block, [searches[place].centers for place in moving]) for block in blocks_of(rows)
        )
        for place, own in zip(moving, sums, strict=True):
            searches[place] = advanced(searches[place], own, spread, farthest)
    return searches


def total_sums(blocks: Iterator[list[Sums]]) -> list[Sums]:
    """The sums of all blocks, for each start."""
    total = next(blocks)
    for block in blocks:
        total = [one.plus(other) for one, other in zip(total, block, strict=True)]
    return total


def blocks_of(rows: Rows) -> Iterator[Rows]:
    """Views of consecutive rows, of a few megabytes each."""
    count = max(1, BLOCK_BYTES // (rows.shape[1] * rows.itemsize))
    return (rows[first : first + count] for first in range(0, len(rows), count))


def _scores(rows: Rows, starts: Sequence[Rows]) -> Iterator[tuple[Rows, Rows]]:
    """x·c − ‖c‖²/2, greatest at the nearest centre, (n, k) for each start, with the start's centres."""
    everything = np.concatenate(starts)
    scores = rows @ everything.T
    scores -= ((everything.astype(np.float64) ** 2).sum(axis=1) / 2).astype(rows.dtype)
    first = 0
    for centers in starts:
        yield scores[:, first : first + len(centers)], centers
        first += len(centers)


def _inertia(centers: Rows, sums: Sums, spread: Spread) -> float:
    """Σ‖x − c‖² = Σ‖x‖² − 2 Σ c·(sum of its rows) + Σ count ‖c‖²; exact since rows lie about zero."""
    exact = centers.astype(np.float64)
    return spread.squares + float(
        (sums.counts * (exact**2).sum(axis=1)).sum() - 2 * (exact * sums.totals).sum()
    )


def _means(centers: Rows, sums: Sums) -> NDArray[np.float64]:
    """Means of the rows of each centre; one without rows stays."""
    counts = sums.counts[:, np.newaxis]
    return np.where(counts > 0, sums.totals / np.maximum(counts, 1), centers)


def _without_empty(centers: Rows, sums: Sums, farthest: Farthest) -> Sums:
    """Centres without rows take the rows that are farthest from theirs, as in scikit-learn."""
    empty = np.flatnonzero(sums.counts == 0)
    if not len(empty):
        return sums
    rows, labels = farthest(centers, len(empty))
    counts, totals = sums.counts.copy(), sums.totals.copy()
    for place, row, label in zip(empty, rows, labels, strict=False):
        totals[label] -= row
        counts[label] -= 1
        totals[place] = row
        counts[place] = 1
    return Sums(counts, totals)
