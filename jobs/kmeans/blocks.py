"""One block of clips in k-means: read it, scale it, and return its sums."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.clustering.kmeans import (
    TOLERANCE,
    Labels,
    Rows,
    Spread,
    Sums,
    block_sums,
    farthest_rows,
    nearest_centers,
    squared_length,
)
from analysis.clustering.scaling import Scaling
from analysis.clustering.scores import majority
from jobs.fitting.layers import LayerArray
from jobs.fitting.opened import opened_run
from jobs.fitting.spool import Read, layer_reader
from jobs.kmeans.layer import clip_histogram

BLOCK_BYTES = 32_000_000
"""Of float32 points that a task holds at once."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive clips of a problem, as rows of the run: a worker looks up nothing."""

    number: int
    first: int
    """Place of the first among the clips of the problem."""
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LayerPoints:
    """Where the points of a layer are."""

    store_url: str
    run_id: str
    committed: str
    """Stands for the rows that the run had when the job began."""
    layer: LayerArray

    def points(self, block: Block) -> NDArray[Any]:
        """(clips × points, D), as stored."""
        activations = _reader(self)(block.rows)
        return activations.reshape(-1, activations.shape[-1])


@lru_cache(maxsize=1)
def _reader(source: LayerPoints) -> Read:
    """Kept between blocks and passes: one layer is clustered at a time, and from a bucket it comes once."""
    run = opened_run(source.store_url, source.run_id, source.committed)
    return layer_reader(run, source.layer.array, source.layer.layer)


def forget_points() -> None:
    """Let go of what this process keeps of a layer between passes."""
    _reader.cache_clear()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one block tells of the spread of all points."""

    squares: float
    total: NDArray[np.float64]
    """Sum of the points, (D,)."""
    points: int

    def plus(self, other: "Measured") -> "Measured":
        """Of both blocks."""
        return Measured(self.squares + other.squares, self.total + other.total, self.points + other.points)

    def spread(self) -> Spread:
        """Of all points."""
        mean = self.total / self.points
        variance = (self.squares / self.points - float(mean @ mean)) / len(self.total)
        return Spread(self.squares, TOLERANCE * variance)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one block gives in one pass."""

    sums: list[Sums]
    measured: Measured | None
    """In the first pass alone: it does not change."""

    def plus(self, other: "Pass") -> "Pass":
        """Of both blocks."""
        sums = [one.plus(two) for one, two in zip(self.sums, other.sums, strict=True)]
        if self.measured is None or other.measured is None:
            return Pass(sums, None)
        return Pass(sums, self.measured.plus(other.measured))


def cut_blocks(rows: NDArray[np.int64], points_per_clip: int, width: int) -> list[Block]:
    """Blocks of as many clips as stay within 32 MB, at least one."""
    count = max(1, BLOCK_BYTES // (points_per_clip * width * 4))
    starts = range(0, len(rows), count)
    return [Block(number, first, rows[first : first + count]) for number, first in enumerate(starts)]


def pass_over(
    source: LayerPoints, scaling: Scaling, centers: Sequence[Rows], measure: bool, block: Block
) -> Pass:
    """Sums for every start and, where nobody knows it yet, what the inertia needs of the points."""
    points = scaling(source.points(block))
    measured = None
    if measure:
        total = points.sum(axis=0, dtype=np.float64)
        measured = Measured(squared_length(points), total, len(points))
    return Pass(block_sums(points, centers), measured)


def scaled_points(source: LayerPoints, scaling: Scaling, block: Block) -> Rows:
    """All points of a block, from which mini-batches are drawn."""
    return scaling(source.points(block))


def farthest_of_block(
    source: LayerPoints, scaling: Scaling, centers: Rows, count: int, block: Block
) -> tuple[NDArray[np.float64], Rows, Labels]:
    """The points that are farthest from their centre: squared distances, points, centres."""
    points = scaling(source.points(block))
    distances, places, labels = farthest_rows(points, centers, count)
    return distances, points[places], labels


def drawn_points(
    source: LayerPoints, share: float, points_per_clip: int, block: Block
) -> tuple[NDArray[Any], Labels]:
    """A share of the points, drawn evenly, and the clip of each as its place in the problem."""
    points = source.points(block)
    random = np.random.default_rng(block.number)
    chosen = np.sort(random.permutation(len(points))[: math.ceil(share * len(points))])
    return points[chosen], block.first + chosen // points_per_clip


def clip_clusters(
    source: LayerPoints,
    scaling: Scaling,
    centers: Sequence[Rows],
    best: int,
    points_per_clip: int,
    block: Block,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Most frequent cluster of each clip for every start, (S, clips), and the best's counts (clips, k)."""
    labels = nearest_centers(scaling(source.points(block)), centers)
    histograms = [
        clip_histogram(own, points_per_clip, len(start)) for own, start in zip(labels, centers, strict=True)
    ]
    return np.stack([majority(histogram) for histogram in histograms]), histograms[best]
