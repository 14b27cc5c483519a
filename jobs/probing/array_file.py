"""Arrays one after the other in one object, each as NumPy's own .npy: read without copying them."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray


def packed(arrays: Iterable[NDArray[Any]]) -> memoryview:
    """The bytes to store."""
    buffer = io.BytesIO()
    for array in arrays:
        np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def unpacked(stored: bytes) -> Iterator[NDArray[Any]]:
    """The arrays, read-only, over the memory of the bytes themselves.

    Raises:
        ValueError: the bytes are damaged or end too early.
    """
    buffer = io.BytesIO(stored)
    while buffer.tell() < len(stored):
        npy.read_magic(buffer)
        shape, by_columns, dtype = npy.read_array_header_1_0(buffer)
        count = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(stored, dtype, count, buffer.tell())
        buffer.seek(flat.nbytes, io.SEEK_CUR)
        yield flat.reshape(shape, order="F" if by_columns else "C")
