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

VERSION = 1
Metric = Literal["cosine", "euclidean"]
METRICS: tuple[Metric, ...] = get_args(Metric)
Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]
Read = Callable[[Numbers], Vectors]
"""From numbers of vectors to the vectors, (n, D)."""

BLOCK_ROWS = 4096
SPARE = 32
"""Candidates beyond those that are asked for: float32 may order near ties otherwise than float64."""
SAMPLE_PER_CELL = 64
"""Vectors that k-means sees for each cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Vectors nearest to a question, the nearest first."""

    numbers: Numbers
    distances: NDArray[np.float64]
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
    of_query = np.asarray(query, np.float32)
    kept, scores = np.zeros(0, np.int64), np.zeros(0, np.float32)
    vectors = np.zeros((0, len(of_query)), np.float32)
    for block, rows in _read_ahead(read, _blocks(numbers)):
        found = _approximately(rows, of_query, metric)
        found[block == but] = np.inf
        chosen = _smallest(found, count + SPARE)
        kept, scores = np.append(kept, block[chosen]), np.append(scores, found[chosen])
        vectors = np.concatenate([vectors, rows[chosen]])
        best = _smallest(scores, count + SPARE)
        kept, scores, vectors = kept[best], scores[best], vectors[best]
    exact = _exactly(vectors, np.asarray(query, np.float64), metric)
    order = np.lexsort((kept, exact))
    order = order[np.isfinite(scores[order])][:count]
    return Neighbours(kept[order], exact[order])


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
    sample = np.concatenate([_comparable(read(block), metric) for block in _blocks(np.sort(drawn))])
    fitted = MiniBatchKMeans(cells, random_state=seed, n_init=1, batch_size=BLOCK_ROWS).fit(sample)
    centres = np.ascontiguousarray(fitted.cluster_centers_, np.float32)
    placed = np.empty(total, np.int64)
    for block, rows in _read_ahead(read, _blocks(total)):
        placed[block] = _nearest_centres(_comparable(rows, metric), centres)
        advance(int(block[-1]) + 1, total)
    order = np.argsort(placed, kind="stable")
    bounds = np.searchsorted(placed[order], np.arange(1, cells))
    return Cells(centres, tuple(np.split(order, bounds)), metric)


def nearest_in_cells(
    read: Read, query: NDArray[Any], count: int, index: Cells, *, nprobe: int, but: int = -1
) -> Neighbours:
    """The nearest among the members of the cells whose centres are nearest: not always all of the nearest."""
    of_query = _comparable(np.asarray(query, np.float32)[np.newaxis], index.metric)[0]
    chosen = _smallest(_approximately(index.centres, of_query, "euclidean"), nprobe)
    members = np.sort(np.concatenate([index.members[cell] for cell in chosen]))
    return nearest(read, query, count, index.metric, members, but=but)


def recall(found: Neighbours, exact: Neighbours) -> float:
    """Share of the nearest vectors that were found."""
    return len(np.intersect1d(found.numbers, exact.numbers)) / max(1, len(exact.numbers))


def _blocks(numbers: Numbers | int) -> Iterator[Numbers]:
    total = numbers if isinstance(numbers, int) else len(numbers)
    for first in range(0, total, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, total)
        yield np.arange(first, last) if isinstance(numbers, int) else numbers[first:last]


def _read_ahead(read: Read, blocks: Iterator[Numbers]) -> Iterator[tuple[Numbers, Vectors]]:
    """Each block with its vectors; the next is read while this one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        waiting: tuple[Numbers, Future[Vectors]] | None = None
        for block in blocks:
            coming = (block, reader.submit(read, block))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting is not None:
            yield waiting[0], waiting[1].result()


def _approximately(rows: Vectors, query: Vectors, metric: Metric) -> Vectors:
    """In float32, and in the order of distances alone."""
    squares = np.einsum("ij,ij->i", rows, rows)
    products = rows @ query
    if metric == "euclidean":
        apart: Vectors = squares - 2 * products
        return apart
    lengths = np.sqrt(squares)
    cosines: Vectors = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return -cosines


def _exactly(rows: Vectors, query: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    if metric == "euclidean":
        distances: NDArray[np.float64] = np.linalg.norm(wide - query, axis=1)
        return distances
    lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(query)
    cosines: NDArray[np.float64] = np.divide(
        wide @ query, lengths, out=np.zeros(len(wide)), where=lengths > 0
    )
    return 1 - cosines


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


def _smallest(values: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Places of the smallest, in any order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.argpartition(values, count - 1)[:count]
