"""Rows of one feature matrix: whole where it is small, else in blocks."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.row_blocks import block_places
from jobs.probe.plan import Source
from store.arrays.collection import Collection

MEMORY_BYTES = 400_000_000
"""A layer up to this size is read once and held; a larger one is read anew by every pass."""


class Rows:
    """Rows (n, D) in the order of their clips."""

    def __init__(self, collection: Collection, source: Source, clip_ids: Sequence[str]) -> None:
        self._collection, self._source, self._clip_ids = collection, source, clip_ids
        spec = collection.arrays[source.array]
        self.width = int(spec.shape[-1])
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
        part = Rows(self._collection, self._source, [self._clip_ids[place] for place in places])
        if self.fits:
            part._held = self.whole()[places]
        return part

    def _read(self, clip_ids: Sequence[str]) -> NDArray[Any]:
        source = self._source
        if source.layer is None:
            return self._collection.read_clips(source.array, clip_ids)
        values, _ = self._collection.read_layer(source.array, source.layer, clip_ids)
        return values
