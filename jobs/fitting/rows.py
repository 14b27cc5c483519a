"""Rows of one matrix of a collection: held where they are few, else read in blocks by every pass."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.row_blocks import block_places
from store.arrays.collection import Collection

MEMORY_BYTES = 400_000_000
"""Rows up to this size are read once and held; more are read anew by every pass."""


class Rows:
    """Rows (n, D) in the order of their clips."""

    def __init__(
        self, collection: Collection, array: str, layer: int | None, clip_ids: Sequence[str]
    ) -> None:
        """Of one layer of an array, or of an array without layers."""
        self._collection, self._array, self._layer = collection, array, layer
        self._clip_ids = clip_ids
        self.width = int(collection.arrays[array].shape[-1])
        self._held: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self._clip_ids)

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The rows in fixed blocks, each with its place."""
        for place in block_places(len(self)):
            yield place, self.whole()[place] if self.fits else self._read(self._clip_ids[place])

    def whole(self) -> NDArray[Any]:
        """All rows at once."""
        if self._held is None:
            self._held = self._read(self._clip_ids)
        return self._held

    @property
    def fits(self) -> bool:
        """Whether all rows may be held in memory."""
        return len(self) * self.width * 4 <= MEMORY_BYTES

    def subset(self, places: NDArray[np.intp]) -> "Rows":
        """Some of the rows."""
        if len(places) == len(self):
            return self
        part = Rows(self._collection, self._array, self._layer, [self._clip_ids[place] for place in places])
        if self.fits:
            part._held = self.whole()[places]
        return part

    def _read(self, clip_ids: Sequence[str]) -> NDArray[Any]:
        if self._layer is None:
            return self._collection.read_clips(self._array, clip_ids)
        values, _ = self._collection.read_layer(self._array, self._layer, clip_ids)
        return values
