"""The order of a pass over the clips of an array: that of the plan, or shuffled without reading twice.

A shuffled pass takes the shards in random order and mixes the rows of some of them in memory, so that each is
read once, whole, and yet neighbours in the plan are none in the pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from store.arrays.encodings import read_dtype
from store.arrays.layout import ArrayLayout
from store.arrays.plan import Numbers

BUFFERS = 64
"""At least so many a large array is cut into: they are what readers share among them."""
BUFFER_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Pass:
    """Which clips, by place among those with numbers, are read together, and in which order they come."""

    buffers: tuple[Numbers, ...]
    """Places that are read at once, ascending."""
    orders: tuple[Numbers, ...]
    """For each of them, the order in which its clips are given out."""
    block_clips: int
    shares_buffers: bool
    """Whether readers take whole buffers in turn; else they take blocks in turn, of every buffer."""

    def of_reader(self, rank: int, world_size: int) -> Iterator[tuple[Numbers, list[Numbers]]]:
        """For one of several readers: places to read at once, and what each block takes of them."""
        block = 0
        for number, (places, order) in enumerate(zip(self.buffers, self.orders, strict=True)):
            blocks = [
                order[start : start + self.block_clips] for start in range(0, len(order), self.block_clips)
            ]
            if self.shares_buffers:
                mine = blocks if number % world_size == rank else []
            else:
                mine = [one for place, one in enumerate(blocks) if (block + place) % world_size == rank]
            block += len(blocks)
            if mine:
                yield places, mine


def in_order(count: int, block_clips: int) -> Pass:
    """A pass in the order of the plan; each block is read for itself."""
    starts = range(0, count, block_clips)
    buffers = tuple(np.arange(start, min(start + block_clips, count)) for start in starts)
    return Pass(
        buffers, tuple(np.arange(len(places)) for places in buffers), block_clips, shares_buffers=False
    )


def shuffled(layout: ArrayLayout, rows: Numbers, block_clips: int, seed: int) -> Pass:
    """A pass in the order that the seed draws; it does not depend on how many readers there are."""
    generator = np.random.default_rng(seed)
    count = len(rows)
    row_bytes = layout.row_bytes // layout.dtype.itemsize * np.dtype(read_dtype(layout.spec)).itemsize
    if count * row_bytes <= BUFFER_BYTES:
        everything = (np.arange(count),) if count else ()
        return Pass(
            everything, (generator.permutation(count),) if count else (), block_clips, shares_buffers=False
        )
    by_shard = np.split(np.arange(count), np.flatnonzero(np.diff(rows // layout.shard_clips)) + 1)
    places = np.concatenate([by_shard[shard] for shard in generator.permutation(len(by_shard))])
    most = min(count // BUFFERS, BUFFER_BYTES // row_bytes)
    size = max(1, most // block_clips) * block_clips
    buffers = tuple(np.sort(places[start : start + size]) for start in range(0, count, size))
    orders = tuple(generator.permutation(len(places)) for places in buffers)
    return Pass(buffers, orders, block_clips, shares_buffers=True)
