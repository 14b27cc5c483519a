"""Several arrays in one object, each as NumPy's .npy, read without copying."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MOST_HEADER_BYTES = 4096


def packed(arrays: Iterable[NDArray[Any]]) -> memoryview:
    """The bytes to store."""
    buffer = io.BytesIO()
    for array in arrays:
        np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def unpacked(stored: memoryview) -> Iterator[NDArray[Any]]:
    """The arrays, read-only, over the memory of the bytes themselves.

    Raises:
        ValueError: the bytes are damaged or end too early.
    """
    offset = 0
    while offset < len(stored):
        head = io.BytesIO(stored[offset : offset + MOST_HEADER_BYTES])
        npy.read_magic(head)
        shape, by_columns, dtype = npy.read_array_header_1_0(head)
        flat = np.frombuffer(stored, dtype, int(np.prod(shape, dtype=np.int64)), offset + head.tell())
        offset += head.tell() + flat.nbytes
        yield flat.reshape(shape, order="F" if by_columns else "C")
