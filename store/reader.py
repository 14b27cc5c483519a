"""Reading rows of an array by byte ranges, straight into the memory of the result."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from store.concurrency import map_concurrently
from store.errors import CorruptData
from store.layout import ArrayLayout
from store.objects import ByteRange, ObjectStore
from store.shards import Array, as_bytes, chunk_number, decompressed, read_index

Rows = np.ndarray[Any, np.dtype[np.int64]]


def read_rows(objects: ObjectStore, folder: str, layout: ArrayLayout, rows: Rows, parts: range) -> Array:
    """Rows of the array below the key `folder`, in the order given: (rows, parts, *rest)."""
    result = np.empty((len(rows), len(parts), *layout.rest), layout.dtype)
    shards = rows // layout.shard_clips

    def read_shard(run: slice) -> None:
        key = f"{folder}/{layout.shard_key(int(shards[run.start]))}"
        if layout.spec.compression == "none":
            objects.read_ranges(key, list(_ranges(layout, rows[run], parts, result[run])))
        else:
            _read_compressed(objects, key, layout, rows[run], parts, result[run])

    map_concurrently(read_shard, _runs(shards, step=0), threads=objects.read_threads)
    return result.astype(layout.dtype.newbyteorder("="), copy=False)


def _runs(values: Rows, *, step: int) -> list[slice]:
    """Slices over which neighbouring values differ by exactly `step`."""
    if not len(values):
        return []
    breaks = np.flatnonzero(np.diff(values) != step) + 1
    edges = [0, *breaks.tolist(), len(values)]
    return [slice(first, last) for first, last in pairwise(edges)]


def _ranges(layout: ArrayLayout, rows: Rows, parts: range, result: Array) -> Iterator[ByteRange]:
    """Where in one shard the rows lie, and which memory of the result takes them."""
    if len(parts) == 1:
        for run in _runs(rows, step=1):
            yield layout.row_offset(parts[0], int(rows[run.start])), as_bytes(result[run])
        return
    for place, row in enumerate(rows.tolist()):
        for column, part in enumerate(parts):
            yield layout.row_offset(part, row), as_bytes(result[place, column])


def _read_compressed(
    objects: ObjectStore, key: str, layout: ArrayLayout, rows: Rows, parts: range, result: Array
) -> None:
    positions = _fetch_index(objects, key, layout)
    wanted = {chunk_number(layout, part, row) for row in rows.tolist() for part in parts}
    chunks = _fetch_chunks(objects, key, layout, positions, sorted(wanted))
    for place, row in enumerate(rows.tolist()):
        for column, part in enumerate(parts):
            chunk = chunks[chunk_number(layout, part, row)]
            result[place, column] = chunk[row % layout.chunk_clips]


def _fetch_index(objects: ObjectStore, key: str, layout: ArrayLayout) -> Array:
    nbytes = objects.size(key)
    if nbytes is None or nbytes < layout.index_bytes:
        raise CorruptData(f"{objects.url}/{key} is missing or too short: run `undertone verify`.")
    index = bytearray(layout.index_bytes)
    objects.read_ranges(key, [(nbytes - layout.index_bytes, memoryview(index))])
    return read_index(layout, index)


def _fetch_chunks(
    objects: ObjectStore, key: str, layout: ArrayLayout, positions: Array, numbers: Sequence[int]
) -> dict[int, Array]:
    """Decoded inner chunks by number, each (chunk_clips, *rest)."""
    buffers = {number: bytearray(int(positions[number, 1])) for number in numbers}
    ranges = [(int(positions[number, 0]), memoryview(buffer)) for number, buffer in buffers.items()]
    objects.read_ranges(key, ranges)
    shape = (layout.chunk_clips, *layout.rest)
    return {
        number: np.frombuffer(decompressed(buffer), layout.dtype).reshape(shape)
        for number, buffer in buffers.items()
    }
