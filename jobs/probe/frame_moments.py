"""Moments over frames or segments, out of core: blocks anywhere, sums in one fixed order."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import BlockSum, Floats, Moments, added, moments_of
from jobs.fitting.layers import head_columns
from jobs.fitting.threads import one_thread
from jobs.probe.kept import KeptMoments, keep_moments, moments_key
from jobs.probe.plan import Coverage, Features, ProbePlan
from store.arrays.collection import Collection
from store.objects.ledger import is_recorded
from store.opening import Store

MOST_BLOCKS = 16
"""Blocks per layer: what a driver holds at worst is as many moments of D² numbers per cell."""
READ_BYTES = 64_000_000
"""What a worker reads at once, as float64."""


@dataclass(frozen=True, slots=True)
class BlockTask:
    """One block of the clips of a coverage, on one layer."""

    source: Features
    coverage: int
    """Place in the plan."""
    number: int


@dataclass(frozen=True, slots=True)
class BlockMoments:
    """What a block gives."""

    moments: Moments
    means: NDArray[np.float32]
    """Mean row of each clip, relative to the shift, (clips, D)."""


def block_tasks(plan: ProbePlan, store: Store, sources: Sequence[Features]) -> list[BlockTask]:
    """What is to be computed before sources over time can be probed: blocks of moments that are not kept."""
    return [
        BlockTask(source, place, number)
        for source in sources
        for place, coverage in enumerate(plan.coverages)
        if source.over_time and not is_recorded(store.objects, moments_key(plan, coverage, source))
        for number in range(len(_bounds(coverage)) - 1)
    ]


def moments_of_block(plan: ProbePlan, task: BlockTask) -> BlockMoments:
    """Moments over all frames of the block's clips; a function of the task alone."""
    with one_thread():
        return _moments_of_block(plan, task)


def _moments_of_block(plan: ProbePlan, task: BlockTask) -> BlockMoments:
    collection = plan.collection(task.source.prefix)
    coverage = plan.coverages[task.coverage]
    shift = _shift(collection, task.source, coverage)
    first, last = _bounds(coverage)[task.number : task.number + 2]
    total: Moments | None = None
    means = []
    for clips in _reads(collection, task.source, first, last):
        values = _values(collection, task.source, coverage.clip_ids[clips])
        cells = np.repeat(coverage.partition.cells[clips], values.shape[1])
        part = moments_of(values.reshape(-1, values.shape[2]), cells, coverage.partition.count, shift)
        total = part if total is None else added(total, part)
        means.append((values.mean(axis=1, dtype=np.float64) - shift).astype(np.float32))
    assert total is not None
    return BlockMoments(total, np.concatenate(means))


class MomentsKeeper:
    """Takes blocks in any order, any of them twice, and keeps moments as soon as they are whole."""

    def __init__(self, plan: ProbePlan, store: Store) -> None:
        self._plan, self._store = plan, store
        self._sums: dict[tuple[Features, int], BlockSum] = {}
        self._means: dict[tuple[Features, int], dict[int, NDArray[np.float32]]] = {}

    def take(self, task: BlockTask, block: BlockMoments) -> None:
        """Add one block."""
        place = (task.source, task.coverage)
        self._sums.setdefault(place, BlockSum()).add(task.number, block.moments)
        means = self._means.setdefault(place, {})
        means[task.number] = block.means
        coverage = self._plan.coverages[task.coverage]
        if len(means) == len(_bounds(coverage)) - 1:
            self._keep(task.source, coverage, self._sums.pop(place), self._means.pop(place))

    def _keep(
        self, source: Features, coverage: Coverage, total: BlockSum, means: dict[int, NDArray[np.float32]]
    ) -> None:
        assert total.total is not None
        times = round(total.total.counts.sum() / len(coverage.clip_ids))
        joined = np.concatenate([means[number] for number in sorted(means)])
        kept = KeptMoments(total.total, times, joined)
        keep_moments(self._store.objects, moments_key(self._plan, coverage, source), kept)


def _bounds(coverage: Coverage) -> list[int]:
    """First clip of every block, and the end: a function of the number of clips alone."""
    clips = len(coverage.clip_ids)
    blocks = min(MOST_BLOCKS, clips)
    return [clips * number // blocks for number in range(blocks + 1)]


def _reads(collection: Collection, source: Features, first: int, last: int) -> Iterator[slice]:
    """Clips that are read at once."""
    clip_bytes = math.prod(collection.arrays[source.array].shape[1:]) * 8
    step = max(1, READ_BYTES // clip_bytes)
    for start in range(first, last, step):
        yield slice(start, min(start + step, last))


def _shift(collection: Collection, source: Features, coverage: Coverage) -> Floats:
    """Provisional mean: that of the first clip of every block's worth, the same for all workers."""
    chosen = [coverage.clip_ids[place] for place in _bounds(coverage)[:-1]]
    values = _values(collection, source, chosen)
    return np.asarray(values.mean(axis=(0, 1), dtype=np.float64))


def _values(collection: Collection, source: Features, clip_ids: Sequence[str]) -> NDArray[np.floating]:
    assert source.layer is not None
    values, _ = collection.read_layer(source.array, source.layer, list(clip_ids))
    return values[..., head_columns(collection, source.array, source.head)]
