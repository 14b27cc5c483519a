"""Encoding whole shards, and knowing where in a shard a row lies.

An uncompressed shard is its inner chunks one after the other, an index of (offset, length) pairs and a CRC-32C
of the index: encoding it is one transposing copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crc32c import crc32c

from store.errors import CorruptData
from store.layout import INDEX_CHECKSUM_BYTES, ArrayLayout
from store.objects import Buffer

ZSTD_LEVEL = 1
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class EncodedShard:
    """The bytes of one shard object."""

    buffers: tuple[Buffer, ...]
    index: bytes
    """The last of the buffers: chunk positions and their checksum."""

    @property
    def nbytes(self) -> int:
        """Length of the object."""
        return sum(memoryview(buffer).nbytes for buffer in self.buffers)

    def checksum(self) -> str:
        """CRC-32C of the object, eight hex digits."""
        return checksum(self.buffers)


def checksum(buffers: Sequence[Buffer]) -> str:
    """CRC-32C over buffers one after the other, eight hex digits."""
    value = 0
    for buffer in buffers:
        value = crc32c(buffer, value)
    return f"{value:08x}"


def as_bytes(values: Array) -> memoryview:
    """The memory of a contiguous array."""
    return values.reshape(-1).view(np.uint8).data


def empty_shard(layout: ArrayLayout) -> Array:
    """Memory for one shard in storage order (parts, clips, *rest), not initialised."""
    return np.empty(layout.stored_shape, layout.dtype)


def encode_shard(layout: ArrayLayout, stored: Array) -> EncodedShard:
    """The object for a shard in storage order; without compression it shares the array's memory."""
    if layout.spec.compression == "none":
        index = _packed_index(_plain_positions(layout))
        return EncodedShard((as_bytes(stored), index), index)
    chunks = _compressed(_chunk_buffers(layout, stored))
    lengths = np.array([len(chunk) for chunk in chunks], dtype="<u8")
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype("<u8")
    index = _packed_index(_in_grid_order(layout, np.stack([offsets, lengths], axis=1)))
    return EncodedShard((b"".join(chunks), index), index)


def decode_shard(layout: ArrayLayout, data: Buffer) -> Array:
    """The shard in storage order; raises `CorruptData` where length or index are wrong."""
    positions = read_index(layout, memoryview(data)[-layout.index_bytes :])
    stored = empty_shard(layout)
    chunk_bytes = stored.nbytes // layout.chunks
    target = stored.reshape(layout.chunks, -1)
    for number, (offset, length) in enumerate(_in_storage_order(layout, positions)):
        chunk = memoryview(data)[int(offset) : int(offset + length)]
        raw = chunk if layout.spec.compression == "none" else decompressed(chunk)
        if len(raw) != chunk_bytes:
            raise CorruptData(f"Array {layout.spec.name!r}: an inner chunk of a shard has the wrong length.")
        target[number] = np.frombuffer(raw, layout.dtype)
    return stored


def read_index(layout: ArrayLayout, data: Buffer) -> Array:
    """Offset and length of the inner chunks in order of the chunk grid, (chunks, 2), checksum verified."""
    view = memoryview(data)
    body, stated = view[:-INDEX_CHECKSUM_BYTES], view[-INDEX_CHECKSUM_BYTES:]
    if len(view) != layout.index_bytes or crc32c(body).to_bytes(4, "little") != bytes(stated):
        raise CorruptData(f"Array {layout.spec.name!r}: the index of a shard disagrees with its checksum.")
    return np.frombuffer(body, "<u8").reshape(-1, 2)


def chunk_number(layout: ArrayLayout, part: int, row: int) -> int:
    """Place of a row's inner chunk in the chunk grid of its shard."""
    return row % layout.shard_clips // layout.chunk_clips * layout.parts + part


def filled_rows(layout: ArrayLayout, stored: Array) -> Array:
    """Which clips of a shard in storage order hold numbers, (clips,) bool."""
    return np.array([not is_fill(layout, stored[:, clip]) for clip in range(layout.shard_clips)])


def is_fill(layout: ArrayLayout, values: Array) -> bool:
    """Whether values are the fill value throughout."""
    first = values[(slice(0, 1),) * values.ndim]  # decides almost always, without reading the rest
    return bool(_fills(layout, first).all() and _fills(layout, values).all())


def decompressed(data: Buffer) -> bytes:
    """The bytes of one zstd inner chunk."""
    from numcodecs.zstd import decompress  # type: ignore[import-untyped]

    return bytes(decompress(bytes(data)))


def _fills(layout: ArrayLayout, values: Array) -> Array:
    return np.isnan(values) if layout.dtype.kind == "f" else values == layout.fill


def _chunk_buffers(layout: ArrayLayout, stored: Array) -> list[Array]:
    return list(stored.reshape(layout.chunks, -1))


def _compressed(chunks: Sequence[Array]) -> list[bytes]:
    from numcodecs.zstd import compress

    return [bytes(compress(chunk, ZSTD_LEVEL)) for chunk in chunks]


def _plain_positions(layout: ArrayLayout) -> Array:
    length = layout.row_bytes * layout.chunk_clips
    offsets = np.arange(layout.chunks, dtype="<u8") * np.uint64(length)
    return _in_grid_order(layout, np.stack([offsets, np.full_like(offsets, length)], axis=1))


def _in_grid_order(layout: ArrayLayout, positions: Array) -> Array:
    """From storage order (part, clip) to the C order of Zarr's chunk grid (clip, part)."""
    return positions.reshape(layout.parts, -1, 2).swapaxes(0, 1).reshape(-1, 2)


def _in_storage_order(layout: ArrayLayout, positions: Array) -> Array:
    return positions.reshape(-1, layout.parts, 2).swapaxes(0, 1).reshape(-1, 2)


def _packed_index(positions: Array) -> bytes:
    body = np.ascontiguousarray(positions, dtype="<u8").tobytes()
    return body + crc32c(body).to_bytes(INDEX_CHECKSUM_BYTES, "little")
