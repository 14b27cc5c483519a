"""Layouts and shard bytes, for any shape."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.arrays.assembly import ShardAssembly
from store.arrays.layout import MAX_SHARD_BYTES, ArrayLayout, array_layout, group_key
from store.arrays.reader import read_rows
from store.arrays.shards import chunk_number, decode_shard, read_index
from store.errors import CorruptData, InvalidInput
from store.records import ArraySpec, PlannedClip, Unit

KINDS = {
    ("layer", "feature"): "float32",
    ("layer", "time", "feature"): "float16",
    ("layer", "segment", "feature"): "float32",
    ("codebook", "time"): "int16",
    ("feature",): "float32",
}


@st.composite
def layouts(draw: st.DrawFn) -> ArrayLayout:
    dimensions = draw(st.sampled_from(sorted(KINDS)))
    shape = tuple(draw(st.integers(1, 4)) for _ in dimensions)
    compression = draw(st.sampled_from(["none", "zstd"]))
    spec = ArraySpec("array", dimensions, shape, KINDS[dimensions], {}, compression)  # type: ignore[arg-type]
    unit_clips = draw(st.integers(1, 12))
    shard_clips = draw(st.sampled_from([size for size in range(1, unit_clips + 1) if unit_clips % size == 0]))
    whole = array_layout(spec, unit_clips)
    if whole.chunk_clips == 1:
        return ArrayLayout(spec, unit_clips, shard_clips, 1)
    return whole


class InMemory:
    """Just enough of a storage to read shards back."""

    read_threads = 1
    url = "memory"

    def __init__(self, shards: dict[str, bytes]) -> None:
        self.shards = shards

    def size(self, key: str) -> int:
        return len(self.shards[key])

    def read_ranges(self, key: str, ranges: list[tuple[int, memoryview]]) -> None:
        for offset, memory in ranges:
            memory[:] = self.shards[key][offset : offset + memory.nbytes]


def encoded_unit(layout: ArrayLayout, first_row: int, block: np.ndarray) -> dict[str, bytes]:
    clips = tuple(PlannedClip(str(number), "", 0.0, 1.0) for number in range(len(block)))
    assembly = ShardAssembly(layout, Unit("unit-000000", first_row, clips))
    full = [(shard, bytes(buffer.encoded())) for shard, buffer in assembly.add(0, block)]
    rest = [(shard, bytes(buffer.encoded())) for shard, buffer in assembly.finish()]
    return {f"array/{layout.shard_key(shard)}": data for shard, data in [*full, *rest]}


def random_block(layout: ArrayLayout, clips: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 99, (clips, *layout.spec.shape)).astype(layout.dtype)


@settings(max_examples=150, deadline=None)
@given(layouts(), st.data())
def test_whatever_is_encoded_is_read_back(layout: ArrayLayout, data: st.DataObject) -> None:
    clips = data.draw(st.integers(1, layout.unit_clips))
    unit = data.draw(st.integers(0, 3))
    block = random_block(layout, clips, seed=clips)
    shards = encoded_unit(layout, unit * layout.unit_clips, block)
    wanted = data.draw(st.lists(st.integers(0, clips - 1), max_size=6))
    rows = np.array(wanted, np.int64) + unit * layout.unit_clips
    part = data.draw(st.integers(0, layout.parts - 1))
    storage: Any = InMemory(shards)

    everything = read_rows(storage, "array", layout, rows, range(layout.parts))
    np.testing.assert_array_equal(everything.reshape(-1, *layout.spec.shape), block[wanted])
    one = read_rows(storage, "array", layout, rows, range(part, part + 1))
    expected = block.reshape(clips, layout.parts, *layout.rest)[wanted, part]
    np.testing.assert_array_equal(one[:, 0], expected)


def test_rows_of_two_shards_are_never_read_as_one_range() -> None:
    """Places 0 of one shard and 1 of the next look like neighbours."""
    layout = ArrayLayout(frames(2, 1, 3), 8, 4, 1)
    block = random_block(layout, 8, seed=4)
    rows = np.array([0, 5, 2, 7], np.int64)
    storage: Any = InMemory(encoded_unit(layout, 0, block))

    np.testing.assert_array_equal(read_rows(storage, "array", layout, rows, range(1)), block[rows, :1])


@settings(max_examples=100, deadline=None)
@given(layouts())
def test_inner_chunks_tile_a_shard_without_gaps(layout: ArrayLayout) -> None:
    block = random_block(layout, layout.unit_clips, seed=1)
    for data in encoded_unit(layout, 0, block).values():
        positions = read_index(layout, data[-layout.index_bytes :])
        ends = 0
        for offset, length in sorted(positions.tolist()):
            assert offset == ends
            ends += length
        assert ends == len(data) - layout.index_bytes
        assert len(positions) == layout.chunks


@settings(max_examples=100, deadline=None)
@given(layouts())
def test_the_index_agrees_with_the_arithmetic(layout: ArrayLayout) -> None:
    """Where the reader looks without the index is where the index says, for uncompressed shards."""
    plain = ArrayLayout(
        ArraySpec("array", layout.spec.dimensions, layout.spec.shape, layout.spec.dtype),
        layout.unit_clips,
        layout.shard_clips,
        layout.chunk_clips,
    )
    data = next(iter(encoded_unit(plain, 0, random_block(plain, plain.unit_clips, seed=2)).values()))
    positions = read_index(plain, data[-plain.index_bytes :])
    for part in range(plain.parts):
        for row in range(plain.shard_clips):
            offset, length = positions[chunk_number(plain, part, row)]
            within = row % plain.chunk_clips * plain.row_bytes
            assert plain.row_offset(part, row) == int(offset) + within
            assert length == plain.chunk_clips * plain.row_bytes + 4


def frames(layers: int, time: int, width: int) -> ArraySpec:
    return ArraySpec("resid.frames", ("layer", "time", "feature"), (layers, time, width), "float16")


@pytest.mark.parametrize(
    ("spec", "shard_clips"),
    [
        (frames(24, 200, 1024), 16),  # 9.8 MB a clip: 26 would fit, 16 divides 64
        (frames(48, 1500, 2048), 1),  # 295 MB a clip: more than a shard should have
        (frames(48, 1500, 1536), 1),
        (frames(2, 10, 8), 64),
        (ArraySpec("resid.mean", ("layer", "feature"), (48, 2048), "float32"), 64),
        (ArraySpec("codes", ("codebook", "time"), (4, 1500), "int16"), 64),
    ],
)
def test_a_shard_holds_the_largest_divisor_of_the_unit_that_stays_small(
    spec: ArraySpec, shard_clips: int
) -> None:
    layout = array_layout(spec, 64)

    assert layout.shard_clips == shard_clips
    clip_bytes = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
    assert shard_clips == 1 or shard_clips * clip_bytes <= MAX_SHARD_BYTES


def test_one_layer_of_a_shard_is_contiguous_but_for_the_checksums() -> None:
    layout = array_layout(frames(3, 4, 5), 8)
    offsets = [layout.row_offset(1, row) for row in range(8)]

    step = layout.row_bytes + 4
    assert offsets == list(range(8 * step, 16 * step, step))


@pytest.mark.parametrize("place", [-1, -5, -20])
def test_a_damaged_index_is_refused(place: int) -> None:
    layout = array_layout(frames(3, 4, 5), 8)
    data = bytearray(next(iter(encoded_unit(layout, 0, random_block(layout, 8, seed=3)).values())))
    assert decode_shard(layout, data).shape == (3, 8, 4, 5)
    data[place] ^= 1

    with pytest.raises(CorruptData, match="index"):
        decode_shard(layout, data)


def test_a_collection_lies_where_the_format_says() -> None:
    assert group_key("runs/a") == "runs/a/activations.zarr"
    assert group_key("codes/b") == "codes/b/codes.zarr"
    with pytest.raises(InvalidInput, match="runs, codes, features"):
        group_key("elsewhere/c")
