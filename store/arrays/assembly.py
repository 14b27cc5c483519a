"""Gathering blocks of clips into shards, in one buffer of one shard per array."""

from collections.abc import Iterator

import numpy as np

from store.arrays.layout import INT8_FILL, ArrayLayout
from store.arrays.shards import Array, ShardBuffer, is_fill
from store.errors import InvalidInput
from store.records import Unit

_FLOAT16_INFINITY = 0x7C00
_FLOAT16_NEGATIVE_INFINITY = 0xFC00


class ShardAssembly:
    """The shard of one array that is being filled."""

    def __init__(self, layout: ArrayLayout, unit: Unit) -> None:
        self.filled = [False] * len(unit.clips)
        """Which clips of the unit have numbers so far."""
        self._layout = layout
        self._shards = layout.shards_of(unit)
        self._next_clip = 0
        self._buffer: ShardBuffer | None = None

    def add(self, first_clip: int, block: Array) -> Iterator[tuple[int, ShardBuffer]]:
        """Take a block (clips, *axes); yields number and contents of each shard that is full.

        The yielded buffer is used again for the next shard, unless it is detached.
        """
        self._check_block(first_clip, block)
        yield from self._fill_up_to(first_clip)
        while len(block):
            count = min(self._layout.shard_clips - self._place(), len(block))
            self._copy(block[:count])
            yield from self._advance(count)
            block = block[count:]

    def finish(self) -> Iterator[tuple[int, ShardBuffer]]:
        """Yield the shards that are left, their missing rows filled."""
        yield from self._fill_up_to(len(self._shards) * self._layout.shard_clips)
        self._buffer = None

    def detach(self) -> None:
        """Leave the buffer to whoever it was yielded to."""
        self._buffer = None

    def _check_block(self, first_clip: int, block: Array) -> None:
        spec, clips = self._layout.spec, len(self.filled)
        if block.shape[1:] != spec.shape:
            raise InvalidInput(
                f"A block of {spec.name!r} has shape {block.shape}, not (clips, {spec.shape})."
            )
        if block.dtype != self._layout.dtype and not block.dtype.kind == self._layout.dtype.kind == "f":
            raise InvalidInput(f"A block of {spec.name!r} is {block.dtype}; it is stored as {spec.dtype}.")
        if first_clip < self._next_clip:
            raise InvalidInput(
                f"A block of {spec.name!r} begins at clip {first_clip}, before {self._next_clip}."
            )
        if first_clip + len(block) > clips:
            raise InvalidInput(f"A block of {spec.name!r} ends at clip {first_clip + len(block)} of {clips}.")

    def _fill_up_to(self, clip: int) -> Iterator[tuple[int, ShardBuffer]]:
        while self._next_clip < clip:
            start = self._place()
            count = min(self._layout.shard_clips - start, clip - self._next_clip)
            self._current().stored[:, start : start + count] = self._layout.fill
            yield from self._advance(count)

    def _copy(self, block: Array) -> None:
        """Transpose clips of one shard into its buffer, and note which of them have numbers."""
        stored = self._current().stored[:, self._place() : self._place() + len(block)]
        by_part = block.reshape(len(block), self._layout.parts, *self._layout.rest).swapaxes(0, 1)
        storable = True
        with np.errstate(over="ignore"):  # found below
            for target, source in zip(stored, by_part, strict=True):
                np.copyto(target, source, casting="same_kind")
                storable = storable and self._storable(
                    target
                )  # now, while the part is in the processor's cache
        for clip in range(len(block)):
            self.filled[self._next_clip + clip] = storable or self._has_numbers(clip, block, stored[:, clip])

    def _has_numbers(self, clip: int, block: Array, stored: Array) -> bool:
        """Whether a clip is filled and not all NaN (-1); raises `InvalidInput` for anything between."""
        if is_fill(self._layout, stored):
            return False
        if not self._storable(stored):
            largest = float(np.abs(block[clip].astype(np.float64)).max())
            raise InvalidInput(
                f"Clip {self._next_clip + clip} of a unit has values that {self._layout.spec.name!r} "
                f"({self._layout.spec.dtype}) cannot hold: NaN or out of range, largest "
                f"{largest:.6g} (float16 ends at 65504). Store the array in a wider type, or report the clip "
                f"as failed and give it a row of {self._layout.fill}."
            )
        return True

    def _storable(self, values: Array) -> bool:
        return _storable(values, self._layout.spec.dtype)

    def _advance(self, count: int) -> Iterator[tuple[int, ShardBuffer]]:
        shard = self._shards[self._next_clip // self._layout.shard_clips]
        self._next_clip += count
        if self._place() == 0:
            yield shard, self._current()

    def _place(self) -> int:
        """Place of the next clip in its shard."""
        return self._next_clip % self._layout.shard_clips

    def _current(self) -> ShardBuffer:
        if self._buffer is None:
            self._buffer = ShardBuffer(self._layout)
        return self._buffer


def _storable(values: Array, dtype: str) -> bool:
    """Whether all values are finite or, for integers, none marks missing rows (-1; of int8 -128)."""
    if dtype == "bfloat16":
        return not bool((values & np.uint16(0x7F80) == 0x7F80).any())
    if dtype == "int8":
        return bool(values.min() > INT8_FILL)
    if values.dtype == np.float16:  # numpy has no fast isfinite for it, but finite bits compare as integers
        bits = values.view(np.int16), values.view(np.uint16)
        return bool(bits[0].max() < _FLOAT16_INFINITY and bits[1].max() < _FLOAT16_NEGATIVE_INFINITY)
    if values.dtype.kind == "f":
        return bool(np.isfinite(values).all())
    return bool(values.min() >= 0)
