"""Rows of one matrix of a collection: held where they are few, else read in blocks by every pass.

From a bucket a row comes once, whatever the number of passes (`spool`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.row_blocks import block_places
from jobs.fitting.layers import head_columns
from jobs.fitting.spool import Read, layer_reader
from store.arrays.collection import Collection

MEMORY_BYTES = 400_000_000
"""Rows up to this size are read once and held; more are read anew by every pass."""


class Rows:
    """Rows (n, D) of one layer of an array, or of an array without layers, by their numbers."""

    def __init__(
        self, read: Read, numbers: NDArray[np.int64], width: int, held: NDArray[Any] | None = None
    ) -> None:
        """`read` gives rows by their numbers; `held` are all of them where somebody has them."""
        self._read, self._numbers, self._held = read, numbers, held
        self.width = width

    @classmethod
    def of_clips(
        cls,
        collection: Collection,
        array: str,
        layer: int | None,
        clip_ids: Sequence[str],
        *,
        head: int | None = None,
    ) -> "Rows":
        """In the order of their clips, which are looked up once; of one head where it is given."""
        numbers, _ = collection.index().select(clip_ids)
        whole, columns = layer_reader(collection, array, layer), head_columns(collection, array, head)
        width = len(range(*columns.indices(int(collection.arrays[array].shape[-1]))))
        if head is None:
            return cls(whole, numbers, width)
        return cls(lambda chosen: np.ascontiguousarray(whole(chosen)[..., columns]), numbers, width)

    def __len__(self) -> int:
        return len(self._numbers)

    def blocks(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The rows in fixed blocks, each with its place."""
        for place in block_places(len(self)):
            yield place, self.whole()[place] if self.fits else self._read(self._numbers[place])

    def whole(self) -> NDArray[Any]:
        """All rows at once."""
        if self._held is None:
            self._held = self._read(self._numbers)
        return self._held

    @property
    def fits(self) -> bool:
        """Whether all rows may be held in memory."""
        return len(self) * self.width * 4 <= MEMORY_BYTES

    def subset(self, places: NDArray[np.intp]) -> "Rows":
        """Some of the rows."""
        if len(places) == len(self):
            return self
        held = self.whole()[places] if self.fits else None
        return Rows(self._read, self._numbers[places], self.width, held)
