"""A large matrix that is written by blocks of rows and read by columns: in memory, or in a temporary file."""

import os
import tempfile
from typing import Any, Self

import numpy as np

from analysis.linear.moments import Floats

HELD_BYTES = 64_000_000
"""Columns up to this size are held in memory."""


class Columns:
    """A matrix (rows, columns) of float64, of which every row is put once."""

    def __init__(self, rows: int, columns: int) -> None:
        self._rows, self._columns = rows, columns
        self._held = np.full((columns, rows), np.nan) if 8 * rows * columns <= HELD_BYTES else None
        self._file: Any = None if self._held is not None else tempfile.TemporaryFile()  # noqa: SIM115 (closed)

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
            os.pwrite(self._file.fileno(), numbers.tobytes(), 8 * (column * self._rows + rows.start))

    def column(self, number: int) -> Floats:
        """All rows of one column, (rows,)."""
        if self._held is not None:
            return np.asarray(self._held[number])
        numbers: Floats = np.empty(self._rows)
        self._file.seek(8 * number * self._rows)
        self._file.readinto(numbers)
        return numbers
