"""Gathering blocks of clips into shards, in one buffer of one shard per array."""

from collections.abc import Iterator

import numpy as np

from store.errors import InvalidInput
from store.layout import ArrayLayout
from store.records import Unit
from store.shards import Array, empty_shard, is_fill

_FLOAT16_INFINITY = 0x7C00
_FLOAT16_NEGATIVE_INFINITY = 0xFC00


class ShardAssembly:
    """The shard of one array that is being filled."""

    def __init__(self, layout: ArrayLayout, unit: Unit) -> None:
        self.filled = [False] * len(unit.clips)
        """Which clips of the unit have numbers so far."""
        self._layout = layout
        self._shards = layout.shards_of(unit)
        self._clips = len(unit.clips)
        self._next_clip = 0
        self._buffer: Array | None = None

    def add(self, first_clip: int, block: Array) -> Iterator[tuple[int, Array]]:
        """Take a block (clips, *axes); yields number and contents of each shard that is full.

        The yielded memory is used again for the next shard.
        """
        self._check_block(first_clip, block)
        self._record_filled(first_clip, block)
        yield from self._fill_up_to(first_clip)
        yield from self._place(block)

    def finish(self) -> Iterator[tuple[int, Array]]:
        """Yield the shards that are left, their missing rows filled."""
        yield from self._fill_up_to(len(self._shards) * self._layout.shard_clips)
        self._buffer = None

    def _check_block(self, first_clip: int, block: Array) -> None:
        name, expected = self._layout.spec.name, self._layout.spec.shape
        if block.shape[1:] != expected:
            raise InvalidInput(f"A block of {name!r} has shape {block.shape}; expected (clips, {expected}).")
        if first_clip < self._next_clip:
            raise InvalidInput(
                f"A block of {name!r} begins at clip {first_clip}, behind clip {self._next_clip}."
            )
        if first_clip + len(block) > self._clips:
            raise InvalidInput(
                f"A block of {name!r} ends at clip {first_clip + len(block)} of {self._clips}."
            )

    def _record_filled(self, first_clip: int, block: Array) -> None:
        whole = _storable(block)
        for place, values in enumerate(block, start=first_clip):
            self.filled[place] = whole or not is_fill(self._layout, values)
            if self.filled[place] and not whole and not _storable(values):
                raise InvalidInput(
                    f"Clip {place} of a unit has values that {self._layout.spec.name!r} ({self._layout.spec.dtype}) "
                    "cannot hold: NaN, infinite or out of range. Store the array in a wider type, or report "
                    f"the clip as failed and give it a row of {self._layout.fill}."
                )

    def _fill_up_to(self, clip: int) -> Iterator[tuple[int, Array]]:
        while self._next_clip < clip:
            start = self._next_clip % self._layout.shard_clips
            count = min(self._layout.shard_clips - start, clip - self._next_clip)
            self._current()[:, start : start + count] = self._layout.fill
            yield from self._advance(count)

    def _place(self, block: Array) -> Iterator[tuple[int, Array]]:
        while len(block):
            start = self._next_clip % self._layout.shard_clips
            count = min(self._layout.shard_clips - start, len(block))
            stored = block[:count].reshape(count, self._layout.parts, *self._layout.rest).swapaxes(0, 1)
            self._copy(self._current()[:, start : start + count], stored)
            yield from self._advance(count)
            block = block[count:]

    def _copy(self, target: Array, source: Array) -> None:
        try:
            with np.errstate(over="raise"):
                np.copyto(target, source, casting="same_kind")
        except FloatingPointError as error:
            largest = float(np.nanmax(np.abs(source)))
            raise InvalidInput(
                f"Array {self._layout.spec.name!r} is {self._layout.spec.dtype}, which ends at 65504, but a value "
                f"of {largest:.6g} came. Store this reduction as float32."
            ) from error

    def _advance(self, count: int) -> Iterator[tuple[int, Array]]:
        shard = self._shards[self._next_clip // self._layout.shard_clips]
        self._next_clip += count
        if self._next_clip % self._layout.shard_clips == 0:
            yield shard, self._current()

    def _current(self) -> Array:
        if self._buffer is None:
            self._buffer = empty_shard(self._layout)
        return self._buffer


def _storable(values: Array) -> bool:
    """Whether all values are finite or, for integers, not negative (-1 marks missing rows) and in range."""
    if not values.size:
        return True
    if values.dtype == np.float16:  # numpy has no fast isfinite for it, but finite bits compare as integers
        bits = values.view(np.int16), values.view(np.uint16)
        return bool(bits[0].max() < _FLOAT16_INFINITY and bits[1].max() < _FLOAT16_NEGATIVE_INFINITY)
    if values.dtype.kind == "f":
        return bool(np.isfinite(values).all())
    return bool(values.min() >= 0 and values.max() <= np.iinfo(np.int16).max)
