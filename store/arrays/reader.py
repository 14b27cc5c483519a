"""Reading rows of an array by byte ranges, straight into the memory of the result, with their checksums."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from store.arrays.layout import CHUNK_CHECKSUM_BYTES, ArrayLayout
from store.arrays.shards import Array, as_bytes, check_chunk, chunk_number, decode_chunk, read_index
from store.errors import CorruptData
from store.objects.concurrency import map_concurrently
from store.objects.protocol import ByteRange, ObjectStore

Rows = np.ndarray[Any, np.dtype[np.int64]]


class CheckedChunks:
    """Which inner chunks of one array were read whole and agreed with their checksums: one bit each."""

    def __init__(self) -> None:
        self._shards: dict[int, bytearray] = {}

    def has(self, shard: int, chunk: int) -> bool:
        """Whether a chunk, by its place in the shard, was checked."""
        bits = self._shards.get(shard, b"")
        return chunk // 8 < len(bits) and bool(bits[chunk // 8] >> chunk % 8 & 1)

    def has_all(self, layout: ArrayLayout, rows: Rows, parts: range) -> bool:
        """Whether every chunk was checked in which these rows lie."""
        if not self._shards:
            return not len(rows)
        of_part = layout.shard_clips // layout.chunk_clips
        shards, places = np.divmod(np.unique(rows // layout.chunk_clips), of_part)
        return all(
            self.has(shard, part * of_part + place)
            for shard, place in zip(shards.tolist(), places.tolist(), strict=True)
            for part in parts
        )

    def add(self, shard: int, chunk: int, chunks: int) -> None:
        """Remember that one of so many chunks was checked."""
        bits = self._shards.setdefault(shard, bytearray(-(-chunks // 8)))
        bits[chunk // 8] |= 1 << chunk % 8


@dataclass(slots=True)
class _ShardRead:
    """What is read of one shard, and what is done with it then."""

    ranges: list[ByteRange] = field(default_factory=list)
    checks: list[tuple[int, memoryview, memoryview]] = field(default_factory=list)
    """Place of a chunk in the shard, its bytes and its checksum."""
    copies: list[tuple[Array, Array]] = field(default_factory=list)
    """Rows of the result, and the rows of a chunk that go there."""


def read_rows(
    objects: ObjectStore,
    folder: str,
    layout: ArrayLayout,
    rows: Rows,
    parts: range,
    checked: CheckedChunks | None = None,
    out: Array | None = None,
) -> Array:
    """Rows of the array below the key `folder`, in the order given: (rows, parts, *rest).

    With `checked`, no chunk is believed before it was read whole once and agreed with its checksum; of one
    that is remembered there, only the wanted rows are read, as they are. None reads without checking. The
    result is `out` where that is given, of its shape and type.
    """
    result = np.empty((len(rows), len(parts), *layout.rest), layout.dtype) if out is None else out
    if layout.spec.compression != "none":
        _read_compressed(objects, folder, layout, rows, parts, result, verify=checked is not None)
    elif checked is None or checked.has_all(layout, rows, parts):
        _read_plain(objects, folder, layout, rows, parts, result)
    else:
        _read_checked(objects, folder, layout, rows, parts, result, checked)
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
    chunks, places = np.divmod(
        np.asarray(parts) * layout.shard_clips + (rows % layout.shard_clips)[:, np.newaxis],
        layout.chunk_clips,
    )
    offsets = (chunks * layout.chunk_step + places * layout.row_bytes).ravel()
    shards = np.repeat(rows // layout.shard_clips, len(parts))
    step = layout.row_bytes
    starts = np.flatnonzero((np.diff(offsets) != step) | (np.diff(shards) != 0)) + 1
    firsts, lasts = [0, *starts.tolist()], [*starts.tolist(), len(offsets)]
    ranges: dict[int, list[ByteRange]] = {}
    for first, last in zip(firsts, lasts, strict=True):
        if last:
            target = memory[first * step : last * step]
            ranges.setdefault(int(shards[first]), []).append((int(offsets[first]), target))
    return ranges


def _read_checked(
    objects: ObjectStore,
    folder: str,
    layout: ArrayLayout,
    rows: Rows,
    parts: range,
    result: Array,
    checked: CheckedChunks,
) -> None:
    in_order = bool((np.diff(rows) > 0).all())

    def read_shard(item: tuple[int, Rows]) -> None:
        shard, wanted = item
        key = f"{folder}/{layout.shard_key(shard)}"
        work = _ShardRead()
        for places, targets in _by_chunk(layout, rows, wanted):
            for column, part in enumerate(parts):
                number = (part * layout.shard_clips + int(places[0])) // layout.chunk_clips
                within = places % layout.chunk_clips
                known = checked.has(shard, number)
                if in_order and within[-1] - within[0] + 1 == len(within) and len(parts) == 1:
                    _plan_run(
                        work, layout, number, within, result[targets[0] : targets[-1] + 1, 0], known=known
                    )
                else:
                    _plan_rows(work, layout, number, within.tolist(), result[:, column], targets, known=known)
        objects.read_ranges(key, work.ranges)
        for number, body, stated in work.checks:
            check_chunk(body, stated, f"{objects.url}/{key}")
            checked.add(shard, number, layout.chunks)
        for target, source in work.copies:
            target[...] = source

    map_concurrently(read_shard, list(_by_shard(layout, rows)), threads=objects.read_threads)


def _by_shard(layout: ArrayLayout, rows: Rows) -> Iterator[tuple[int, Rows]]:
    """Each shard with the places, in the result, of the rows that lie in it, in order of their chunks."""
    if not len(rows):
        return
    chunks = rows // layout.chunk_clips
    in_order = bool((np.diff(chunks) >= 0).all())
    order = np.arange(len(rows)) if in_order else np.argsort(chunks, kind="stable")
    shards = rows[order] // layout.shard_clips
    starts = np.flatnonzero(np.diff(shards)) + 1
    for places in np.split(order, starts):
        yield int(rows[places[0]] // layout.shard_clips), places


def _by_chunk(layout: ArrayLayout, rows: Rows, wanted: Rows) -> Iterator[tuple[Rows, Rows]]:
    """For each chunk of clips in a shard, the wanted places in the shard and where they go in the result."""
    places = rows[wanted] % layout.shard_clips
    chunks = places // layout.chunk_clips
    if chunks[0] == chunks[-1]:  # they are in order
        yield places, wanted
        return
    starts = np.flatnonzero(np.diff(chunks)) + 1
    yield from zip(np.split(places, starts), np.split(wanted, starts), strict=True)


def _plan_run(
    work: _ShardRead, layout: ArrayLayout, number: int, places: Rows, target: Array, *, known: bool
) -> None:
    """Read neighbouring rows of one chunk straight to where they go; a whole chunk with its checksum."""
    if known or len(places) == layout.chunk_clips:
        body = as_bytes(target)
        work.ranges.append((number * layout.chunk_step + int(places[0]) * layout.row_bytes, body))
        if not known:
            _plan_check(work, layout, number, body)
    else:
        rows = [target[place : place + 1] for place in range(len(places))]
        _plan_copy(work, layout, number, places.tolist(), rows)


def _plan_rows(
    work: _ShardRead,
    layout: ArrayLayout,
    number: int,
    places: Sequence[int],
    column: Array,
    targets: Rows,
    *,
    known: bool,
) -> None:
    """Read rows of one chunk, in any order, to where each goes."""
    rows = [column[target : target + 1] for target in targets.tolist()]
    if known:
        offset = number * layout.chunk_step
        for place, row in zip(places, rows, strict=True):
            work.ranges.append((offset + place * layout.row_bytes, as_bytes(row)))
    elif layout.chunk_clips == 1 == len(rows):
        work.ranges.append((number * layout.chunk_step, as_bytes(rows[0])))
        _plan_check(work, layout, number, as_bytes(rows[0]))
    else:
        _plan_copy(work, layout, number, places, rows)


def _plan_copy(
    work: _ShardRead, layout: ArrayLayout, number: int, places: Sequence[int], rows: Sequence[Array]
) -> None:
    """Read the whole chunk aside, and copy what is wanted of it once it is checked."""
    chunk = np.empty((layout.chunk_clips, *layout.rest), layout.dtype)
    work.ranges.append((number * layout.chunk_step, as_bytes(chunk)))
    _plan_check(work, layout, number, as_bytes(chunk))
    work.copies += [(row, chunk[place : place + 1]) for place, row in zip(places, rows, strict=True)]


def _plan_check(work: _ShardRead, layout: ArrayLayout, number: int, body: memoryview) -> None:
    stated = memoryview(bytearray(CHUNK_CHECKSUM_BYTES))
    work.ranges.append((number * layout.chunk_step + layout.chunk_bytes, stated))
    work.checks.append((number, body, stated))


def _read_compressed(
    objects: ObjectStore,
    folder: str,
    layout: ArrayLayout,
    rows: Rows,
    parts: range,
    result: Array,
    *,
    verify: bool,
) -> None:
    shards = rows // layout.shard_clips

    def read_shard(shard: int) -> None:
        key = f"{folder}/{layout.shard_key(shard)}"
        places = np.flatnonzero(shards == shard).tolist()
        wanted = {place: [chunk_number(layout, part, int(rows[place])) for part in parts] for place in places}
        numbers = sorted({number for of_row in wanted.values() for number in of_row})
        chunks = _fetch_chunks(objects, key, layout, numbers, verify=verify)
        for place, of_row in wanted.items():
            for column, number in enumerate(of_row):
                result[place, column] = chunks[number][rows[place] % layout.chunk_clips]

    map_concurrently(read_shard, np.unique(shards).tolist(), threads=objects.read_threads)


def _fetch_index(objects: ObjectStore, key: str, layout: ArrayLayout) -> Array:
    nbytes = objects.size(key)
    if nbytes is None or nbytes < layout.index_bytes:
        raise CorruptData(f"{objects.url}/{key} is missing or too short: run `undertone verify`.")
    index = bytearray(layout.index_bytes)
    objects.read_ranges(key, [(nbytes - layout.index_bytes, memoryview(index))])
    try:
        return read_index(layout, index)
    except CorruptData as error:
        raise CorruptData(f"{objects.url}/{key}: {error} Run `undertone verify`.") from error


def _fetch_chunks(
    objects: ObjectStore, key: str, layout: ArrayLayout, numbers: Sequence[int], *, verify: bool
) -> dict[int, Array]:
    """Decoded inner chunks by number, each (chunk_clips, *rest)."""
    positions = _fetch_index(objects, key, layout)
    buffers = {number: bytearray(int(positions[number, 1])) for number in numbers}
    ranges = [(int(positions[number, 0]), memoryview(buffer)) for number, buffer in buffers.items()]
    objects.read_ranges(key, ranges)
    where = f"{objects.url}/{key}"
    return {
        number: decode_chunk(layout, memoryview(buffer), where, verify=verify)
        for number, buffer in buffers.items()
    }
