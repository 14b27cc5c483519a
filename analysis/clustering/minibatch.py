"""Mini-batch k-means (Sculley 2010): centres move after every few rows instead of after all of them.

As scikit-learn's `MiniBatchKMeans` with `reassignment_ratio=0`: a centre is the mean of all rows that it
was ever given, and a start rests once its smoothed inertia has not fallen for ten batches, after 100 passes
at the latest. Rows are drawn without replacement: blocks in random order, rows at random from a few blocks.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.clustering.kmeans import Rows, Search, block_sums, squared_length

VERSION = 1
"""Of clusterings by mini-batches: raise it with their numbers."""
MOST_PASSES = 100
PATIENCE = 10
"""Batches without a lower inertia after which a start is at rest."""
BUFFER_BYTES = 64_000_000
"""Of rows that batches are drawn from at a time."""

Blocks = Callable[[Sequence[int]], Iterator[Rows]]
"""Rows of blocks by their numbers, in this order."""


@dataclass(frozen=True, slots=True)
class _Start:
    """One start on its way to rest."""

    centers: Rows
    weights: NDArray[np.float64]
    """Rows that each centre was given so far, (k,)."""
    steps: int = 0
    smoothed: float = np.inf
    """Inertia of a row, smoothed over batches."""
    lowest: float = np.inf
    patience: int = PATIENCE

    @property
    def at_rest(self) -> bool:
        return self.patience == 0


def minibatch(
    blocks: Blocks, count: int, starts: Sequence[Rows], *, batch_size: int, rows: int, seed: int = 0
) -> list[Search]:
    """Every start after its last batch: settled, its inertia over all rows still unknown.

    Args:
        blocks: reads rows (n, D) that lie about zero.
        count: how many blocks there are.
        starts: first centres (k, D) of each.
        batch_size: rows after which centres move.
        rows: how many there are, N.
        seed: of the order of rows, which is the same for all starts.
    """
    found = [_Start(np.array(centers), np.zeros(len(centers))) for centers in starts]
    random = np.random.default_rng(seed)
    for _ in range(MOST_PASSES):
        for batch in _batches(blocks(random.permutation(count).tolist()), batch_size, random):
            moving = [place for place, start in enumerate(found) if not start.at_rest]
            if not moving:
                break
            for place in moving:
                found[place] = _moved(found[place], batch, rows)
        if all(start.at_rest for start in found):
            break
    return [Search(start.centers, iterations=start.steps, state="settled") for start in found]


def _moved(start: _Start, batch: Rows, rows: int) -> _Start:
    """After one batch: each centre is the mean of what it has ever been given."""
    (sums,) = block_sums(batch, [start.centers])
    exact = start.centers.astype(np.float64)
    inertia = squared_length(batch) + float(
        (sums.counts * (exact**2).sum(axis=1)).sum() - 2 * (exact * sums.totals).sum()
    )
    weights = start.weights + sums.counts
    given = weights[:, np.newaxis]
    totals = exact * start.weights[:, np.newaxis] + sums.totals
    centers = np.where(sums.counts[:, np.newaxis] > 0, totals / np.maximum(given, 1), exact)
    moved = replace(
        start, centers=centers.astype(start.centers.dtype), weights=weights, steps=start.steps + 1
    )
    return moved if start.steps == 0 else _judged(moved, inertia / len(batch), len(batch), rows)


def _judged(start: _Start, inertia: float, batch: int, rows: int) -> _Start:
    """With its smoothed inertia; the first batch is left out, as in scikit-learn: its centres were drawn."""
    share = min(1.0, 2 * batch / (rows + 1))
    smoothed = inertia if np.isinf(start.smoothed) else (1 - share) * start.smoothed + share * inertia
    if smoothed < start.lowest:
        return replace(start, smoothed=smoothed, lowest=smoothed, patience=PATIENCE)
    return replace(start, smoothed=smoothed, patience=start.patience - 1)


def _batches(blocks: Iterator[Rows], size: int, random: np.random.Generator) -> Iterator[Rows]:
    """Batches drawn from a buffer of a few blocks, which is emptied before the next ones are read."""
    held: list[Rows] = []
    bytes_held = 0
    for block in blocks:
        held.append(block)
        bytes_held += block.nbytes
        if bytes_held >= BUFFER_BYTES:
            left: NDArray[Any] = yield from _drawn(np.concatenate(held), size, random)
            held, bytes_held = [left], left.nbytes
    left = yield from _drawn(np.concatenate(held), size, random)
    if len(left):
        yield left


def _drawn(rows: Rows, size: int, random: np.random.Generator) -> Any:
    """Whole batches in random order; returns the rows that are left over."""
    order = random.permutation(len(rows))
    whole = len(rows) - len(rows) % size
    for first in range(0, whole, size):
        yield rows[order[first : first + size]]
    return rows[order[whole:]]
