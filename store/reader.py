"""Reading rows of an array by byte ranges, straight into the memory of the result."""

from collections.abc import Sequence
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
    if layout.spec.compression == "none":
        _read_plain(objects, folder, layout, rows, parts, result)
    else:
        _read_compressed(objects, folder, layout, rows, parts, result)
    return result.astype(layout.dtype.newbyteorder("="), copy=False)


def _read_plain(
    objects: ObjectStore, folder: str, layout: ArrayLayout, rows: Rows, parts: range, result: Array
) -> None:
    ranges = _plain_ranges(layout, rows, parts, as_bytes(result))
    map_concurrently(
        lambda shard: objects.read_ranges(f"{folder}/{layout.shard_key(shard)}", ranges[shard]),
        list(ranges),
        threads=objects.read_threads,
    )


def _plain_ranges(
    layout: ArrayLayout, rows: Rows, parts: range, memory: memoryview
) -> dict[int, list[ByteRange]]:
    """By shard, where its rows lie and which memory takes them; what is contiguous in both is one range."""
    places = (np.asarray(parts) * layout.shard_clips + (rows % layout.shard_clips)[:, np.newaxis]).ravel()
    shards = np.repeat(rows // layout.shard_clips, len(parts))
    starts = np.flatnonzero((np.diff(places) != 1) | (np.diff(shards) != 0)) + 1
    firsts, lasts = [0, *starts.tolist()], [*starts.tolist(), len(places)]
    step = layout.row_bytes
    ranges: dict[int, list[ByteRange]] = {}
    for first, last in zip(firsts, lasts, strict=True):
        if last:
            target = memory[first * step : last * step]
            ranges.setdefault(int(shards[first]), []).append((int(places[first]) * step, target))
    return ranges


def _read_compressed(
    objects: ObjectStore, folder: str, layout: ArrayLayout, rows: Rows, parts: range, result: Array
) -> None:
    shards = rows // layout.shard_clips

    def read_shard(shard: int) -> None:
        key = f"{folder}/{layout.shard_key(shard)}"
        places = np.flatnonzero(shards == shard).tolist()
        wanted = {place: [chunk_number(layout, part, int(rows[place])) for part in parts] for place in places}
        chunks = _fetch_chunks(
            objects, key, layout, sorted({n for numbers in wanted.values() for n in numbers})
        )
        for place, numbers in wanted.items():
            for column, number in enumerate(numbers):
                result[place, column] = chunks[number][rows[place] % layout.chunk_clips]

    map_concurrently(read_shard, np.unique(shards).tolist(), threads=objects.read_threads)


def _fetch_index(objects: ObjectStore, key: str, layout: ArrayLayout) -> Array:
    nbytes = objects.size(key)
    if nbytes is None or nbytes < layout.index_bytes:
        raise CorruptData(f"{objects.url}/{key} is missing or too short: run `undertone verify`.")
    index = bytearray(layout.index_bytes)
    objects.read_ranges(key, [(nbytes - layout.index_bytes, memoryview(index))])
    return read_index(layout, index)


def _fetch_chunks(
    objects: ObjectStore, key: str, layout: ArrayLayout, numbers: Sequence[int]
) -> dict[int, Array]:
    """Decoded inner chunks by number, each (chunk_clips, *rest)."""
    positions = _fetch_index(objects, key, layout)
    buffers = {number: bytearray(int(positions[number, 1])) for number in numbers}
    ranges = [(int(positions[number, 0]), memoryview(buffer)) for number, buffer in buffers.items()]
    objects.read_ranges(key, ranges)
    shape = (layout.chunk_clips, *layout.rest)
    return {
        number: np.frombuffer(decompressed(buffer), layout.dtype).reshape(shape)
        for number, buffer in buffers.items()
    }
