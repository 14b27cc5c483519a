"""Nearest vectors: exactly, block by block, or among the cells of an index that lie nearest.

The index is an inverted file (Jégou et al. 2011, doi:10.1109/TPAMI.2010.57) without a code of the vectors:
k-means cells with the numbers of their members, so that what is read for a question are the members of a few
cells, and distances to them are exact.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

VERSION = 2
Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = get_args(Metric)
Vectors = NDArray[np.float32]
Distances = NDArray[np.float64]
Numbers = NDArray[np.int64]
Read = Callable[[Numbers], Vectors]
"""From numbers of vectors to the vectors, (n, D)."""

BLOCK_ROWS = 4096
CACHED_NUMBERS = 1 << 16
"""Numbers that are compared at once in float64: so many stay in a processor's cache."""
SAMPLE_PER_CELL = 64
"""Vectors that k-means sees for each cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Vectors nearest to a question, the nearest first."""

    numbers: Numbers
    distances: Distances
    """Of cosine 1 − cos, from 0 to 2."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """An index: cells of k-means, and which vectors lie in each."""

    centres: Vectors
    """(C, D)."""
    members: tuple[Numbers, ...]
    """Numbers of the vectors of each cell, ascending."""
    metric: Metric


def nearest(
    read: Read, query: NDArray[Any], count: int, metric: Metric, numbers: Numbers | int, *, but: int = -1
) -> Neighbours:
    """The vectors nearest to a query among some, or among all of a number of them.

    Args:
        read: gives vectors by their numbers; it is asked for a block at a time.
        query: (D,).
        count: how many are wanted.
        metric: "cosine" or "euclidean".
        numbers: which vectors to look at, or how many there are.
        but: number of one that does not count, such as the query's own.
    """
    wide = np.asarray(query, np.float64)
    kept, distances = np.zeros(0, np.int64), np.zeros(0)
    for block, rows in read_ahead(read, blocks(numbers)):
        found = _distances(rows, wide, metric)
        counts = np.flatnonzero((block != but) & np.isfinite(found))
        chosen = counts[_smallest_in_order(found[counts], count)]
        kept, distances = np.append(kept, block[chosen]), np.append(distances, found[chosen])
        best = _smallest_in_order(distances, count)
        kept, distances = kept[best], distances[best]
    return Neighbours(kept, distances)


def make_cells(
    read: Read, total: int, metric: Metric, *, cells: int, seed: int, advance: Callable[[int, int], None]
) -> Cells:
    """Cut vectors into cells by k-means of a sample, then put each of them into the nearest.

    Args:
        read: gives vectors by their numbers.
        total: how many there are.
        metric: which distance counts.
        cells: how many; not more than vectors.
        seed: of the sample and the first centres.
        advance: is called with how many vectors are placed, and of how many.
    """
    from sklearn.cluster import MiniBatchKMeans

    cells = min(cells, total)
    drawn = np.random.default_rng(seed).permutation(total)[: SAMPLE_PER_CELL * cells]
    sample = np.concatenate([_comparable(read(block), metric) for block in blocks(np.sort(drawn))])
    middle = sample.mean(axis=0, dtype=np.float64).astype(np.float32)  # its products would drown differences
    fitted = MiniBatchKMeans(cells, random_state=seed, n_init=1, batch_size=BLOCK_ROWS).fit(sample - middle)
    centres = np.ascontiguousarray(fitted.cluster_centers_, np.float32)
    placed = np.empty(total, np.int64)
    for block, rows in read_ahead(read, blocks(total)):
        placed[block] = _nearest_centres(_comparable(rows, metric) - middle, centres)
        advance(int(block[-1]) + 1, total)
    order = np.argsort(placed, kind="stable")
    bounds = np.searchsorted(placed[order], np.arange(1, cells))
    return Cells(centres + middle, tuple(np.split(order, bounds)), metric)


def nearest_in_cells(
    read: Read, query: NDArray[Any], count: int, index: Cells, *, nprobe: int, but: int = -1
) -> Neighbours:
    """The nearest among the members of the cells whose centres are nearest: not always all of the nearest."""
    of_query = _comparable(np.asarray(query, np.float32)[np.newaxis], index.metric)[0]
    apart = _distances(index.centres, of_query.astype(np.float64), "euclidean")
    chosen = _smallest_in_order(apart, nprobe)
    members = np.sort(np.concatenate([index.members[cell] for cell in chosen]))
    return nearest(read, query, count, index.metric, members, but=but)


def recall(found: Neighbours, exact: Neighbours) -> float:
    """Share of the nearest vectors that were found."""
    return len(np.intersect1d(found.numbers, exact.numbers)) / max(1, len(exact.numbers))


def blocks(numbers: Numbers | int) -> Iterator[Numbers]:
    """Numbers of vectors, or those from 0 on, a block at a time."""
    total = numbers if isinstance(numbers, int) else len(numbers)
    for first in range(0, total, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, total)
        yield np.arange(first, last) if isinstance(numbers, int) else numbers[first:last]


def read_ahead(read: Read, parts: Iterator[Numbers]) -> Iterator[tuple[Numbers, Vectors]]:
    """Each block with its vectors; the next is read while this one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        waiting: tuple[Numbers, Future[Vectors]] | None = None
        for block in parts:
            coming = (block, reader.submit(read, block))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting is not None:
            yield waiting[0], waiting[1].result()


def _distances(rows: Vectors, query: Distances, metric: Metric) -> Distances:
    """In float64 and of differences: between near rows, squares and products leave little but rounding."""
    if metric == "cosine":
        length = np.linalg.norm(query)
        if length == 0:
            return np.ones(len(rows))
        query = query / length
    found = np.empty(len(rows))
    step = max(1, CACHED_NUMBERS // max(1, len(query)))
    for first in range(0, len(rows), step):
        wide = rows[first : first + step].astype(np.float64)
        lengths = None
        if metric == "cosine":
            lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
            wide /= np.where(lengths > 0, lengths, 1)[:, np.newaxis]
        wide -= query
        squares = np.einsum("ij,ij->i", wide, wide)
        # 1 − cos is half the square of the difference of unit vectors
        found[first : first + step] = (
            np.sqrt(squares) if lengths is None else np.where(lengths > 0, squares / 2, 1)
        )
    return found


def _comparable(rows: Vectors, metric: Metric) -> Vectors:
    """Rows whose Euclidean distance orders as the metric does."""
    if metric == "euclidean":
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Vectors = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return found


def _nearest_centres(rows: Vectors, centres: Vectors) -> NDArray[np.intp]:
    squares = np.einsum("ij,ij->i", centres, centres)
    found: NDArray[np.intp] = (squares - 2 * (rows @ centres.T)).argmin(axis=1)
    return found


def _smallest_in_order(values: Distances, count: int) -> NDArray[np.intp]:
    """Places of the smallest, ascending; of equal ones those that stand first."""
    places = np.arange(len(values))
    if len(values) > count:
        places = np.flatnonzero(values <= np.partition(values, count - 1)[count - 1])
    return places[np.argsort(values[places], kind="stable")][:count]
