"""Rows of a layer, fetched once from a bucket (or decompressed once) into a temporary file of this machine.

A fit reads its layer in several passes, a logistic one in hundreds. What already lies uncompressed on a local
disk is read there. The file has no name, so it is gone with the process that made it, however that ends.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.arrays.collection import Collection

Numbers = NDArray[np.int64]
Read = Callable[[Numbers], NDArray[Any]]
FREE_BYTES = 2_000_000_000
"""What a file leaves free on its disk; rows beyond that are fetched anew by every pass."""


class RowSpool:
    """Rows by their numbers: the first time from where they are stored, then from a file."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept = np.zeros(0, np.bool_)
        self._lock = Lock()
        self._file: int | None = None

    def read(self, numbers: Numbers) -> NDArray[Any]:
        """The rows with these numbers, in this order, (n, …)."""
        known = self._knows(numbers)
        if known.all() and len(numbers):
            return self._from_file(numbers)
        fetched = self._read(numbers[~known])
        self._keep(numbers[~known], fetched)
        if not known.any():
            return fetched
        result = np.empty((len(numbers), *fetched.shape[1:]), fetched.dtype)
        result[~known], result[known] = fetched, self._from_file(numbers[known])
        return result

    def _knows(self, numbers: Numbers) -> NDArray[np.bool_]:
        kept = self._kept
        known = np.zeros(len(numbers), np.bool_)
        within = numbers < len(kept)
        known[within] = kept[numbers[within]]
        return known

    def _keep(self, numbers: Numbers, rows: NDArray[Any]) -> None:
        if not rows.nbytes or shutil.disk_usage(tempfile.gettempdir()).free < FREE_BYTES + rows.nbytes:
            return
        with self._lock:
            if self._file is None:
                file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the spool)
                weakref.finalize(self, file.close)
                self._file, self._like = file.fileno(), rows[:0]
            for number, block in _stretches(numbers, rows):
                _write(self._file, block, number * block[:1].nbytes)
            grown = np.zeros(max(len(self._kept), int(numbers.max()) + 1), np.bool_)
            grown[: len(self._kept)] = self._kept
            grown[numbers] = True
            self._kept = grown

    def _from_file(self, numbers: Numbers) -> NDArray[Any]:
        assert self._file is not None
        result = np.empty((len(numbers), *self._like.shape[1:]), self._like.dtype)
        for number, block in _stretches(numbers, result):
            _read_into(self._file, block, number * block[:1].nbytes)
        return result


def layer_reader(collection: Collection, array: str, layer: int | None) -> Read:
    """What gives rows of a layer, or of an array without layers, by their numbers: spooled where it pays."""

    def read(numbers: Numbers) -> NDArray[Any]:
        if layer is None:
            return collection.read_rows(array, numbers)
        return collection.read_layer_rows(array, layer, numbers)

    if collection.objects.is_local and collection.layout(array).spec.compression == "none":
        return read
    return RowSpool(read).read


def _stretches(numbers: Numbers, rows: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Rows whose numbers follow each other, with the number of the first."""
    starts = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist()]
    for first, last in zip(starts, [*starts[1:], len(numbers)], strict=True):
        yield int(numbers[first]), rows[first:last]


def _write(file: int, rows: NDArray[Any], offset: int) -> None:
    """`pwrite` writes 2 GB at most."""
    data = np.ascontiguousarray(rows).data.cast("B")
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _read_into(file: int, rows: NDArray[Any], offset: int) -> None:
    memory = rows.data.cast("B")
    while memory:
        found = os.preadv(file, [memory], offset)
        memory, offset = memory[found:], offset + found
