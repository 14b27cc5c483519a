"""A large matrix that is written by blocks of rows and read by columns: in memory, or in a temporary file."""

import os
import tempfile
import weakref
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats

HELD_BYTES = 64_000_000
"""Columns up to this size are held in memory."""


class Columns:
    """A matrix (rows, columns) of float64, NaN where nothing was put."""

    def __init__(self, rows: int, columns: int) -> None:
        self.count = columns
        self._rows = rows
        self._held = np.full((columns, rows), np.nan) if 8 * rows * columns <= HELD_BYTES else None
        self._file: Any = None
        if self._held is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the matrix)
            weakref.finalize(self, self._file.close)
            for _ in range(columns):
                self._file.write(np.full(rows, np.nan).data)
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def put(self, rows: slice, block: Floats) -> None:
        """Keep consecutive rows (n, columns)."""
        if self._held is not None:
            self._held[:, rows] = block.T
            return
        for column, numbers in enumerate(np.ascontiguousarray(block.T)):
            os.pwrite(self._file.fileno(), numbers.tobytes(), self._offset(column, rows))

    def put_some(self, rows: slice, which: NDArray[np.bool_], block: Floats) -> None:
        """Keep (m, columns) for those of consecutive rows that `which` (n,) says."""
        whole: Floats = np.empty((len(which), self.count))
        for column in range(self.count):
            whole[:, column] = self._part(column, rows)
        whole[which] = block
        self.put(rows, whole)

    def column(self, number: int) -> Floats:
        """All rows of one column, (rows,)."""
        return self._part(number, slice(0, self._rows))

    def _part(self, column: int, rows: slice) -> Floats:
        if self._held is not None:
            return np.asarray(self._held[column, rows])
        numbers: Floats = np.empty(rows.stop - rows.start)
        os.preadv(self._file.fileno(), [numbers.data.cast("B")], self._offset(column, rows))
        return numbers

    def _offset(self, column: int, rows: slice) -> int:
        return 8 * (column * self._rows + int(rows.start))
