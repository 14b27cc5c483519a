"""What becomes of blocks and shards: order, types, adoption, errors."""

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crc32c import crc32c

from store.arrays.collection import Collection
from store.arrays.verification import verify
from store.errors import Conflict, InvalidInput, StorageError
from store.objects.local import LocalObjects
from store.objects.protocol import Buffer, ObjectStore
from store.records import ArraySpec, ClipStatus

SHARD = "runs/world/activations.zarr/resid.mean/c.0.0.0"


def ids_of(collection: Collection) -> list[str]:
    return [clip.clip_id for clip in collection.units()[0].clips]


@pytest.mark.parametrize("blocks", [1, 2, 5, 8])
def test_the_bytes_do_not_depend_on_how_a_unit_is_cut_into_blocks(
    local_objects: ObjectStore, world: Any, contents: Any, blocks: int
) -> None:
    whole, pieces = world.create(local_objects), world.create(local_objects, prefix="runs/pieces")
    for unit in whole.units():
        world.write(whole, unit, failed=["clip0002"], blocks=8)
        world.write(pieces, unit, failed=["clip0002"], blocks=blocks)

    expected = contents(local_objects, "runs/world/activations.zarr")
    actual = contents(local_objects, "runs/pieces/activations.zarr")
    assert list(actual.values()) == list(expected.values())


def test_blocks_of_any_strides_are_taken(local_objects: ObjectStore, world: Any) -> None:
    world = replace(world)
    collection = world.create(local_objects, arrays=world.arrays[:2])
    ids = ids_of(collection)
    with collection.begin(collection.units()[0], provenance={}) as pending:
        for name in collection.arrays:
            values = world.values(name, ids)
            backwards = np.ascontiguousarray(values[::-1].astype(np.float64).swapaxes(0, 1)).swapaxes(0, 1)[
                ::-1
            ]
            pending.add(name, 0, backwards)
        pending.commit([ClipStatus(clip, "ok") for clip in ids], {})

    for name in collection.arrays:
        np.testing.assert_array_equal(collection.read_clips(name, ids), world.values(name, ids))


def test_failed_clips_may_be_left_out_of_the_blocks(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    unit, ids, failed = collection.units()[0], ids_of(collection), ["clip0000", "clip0004", "clip0007"]
    with collection.begin(unit, provenance={}) as pending:
        for name in collection.arrays:
            pending.add(name, 1, world.values(name, ids[1:4]))
            pending.add(name, 5, world.values(name, ids[5:7]))
        pending.commit([world.status(clip, failed) for clip in ids], {})

    kept = [clip for clip in ids if clip not in failed]
    for name in collection.arrays:
        np.testing.assert_array_equal(collection.read_clips(name, kept), world.values(name, kept))
    stored = collection.as_zarr()["resid.mean"][:8]
    assert np.isnan(stored[[0, 4, 7]]).all()


def test_a_unit_of_failed_clips_alone_can_be_committed(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    ids = ids_of(collection)
    with collection.begin(collection.units()[0], provenance={}) as pending:
        receipt = pending.commit([world.status(clip, ids) for clip in ids], {})

    assert receipt.failed == 8
    assert np.isnan(collection.as_zarr()["resid.mean"][:8]).all()
    assert verify(collection) == []


@pytest.mark.parametrize("value", [65520.0, 1e6, -1e30, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflow_of_float16_fails_loudly(
    local_objects: ObjectStore, world: Any, value: float, dtype: type[np.generic]
) -> None:
    collection = world.create(local_objects)
    block = world.values("resid.frames", ids_of(collection)).astype(dtype)
    block[5, 1, 2, 3] = value

    with (
        collection.begin(collection.units()[0], provenance={}) as pending,
        pytest.raises(InvalidInput, match=r"Clip 5 .*resid\.frames.*65504.*float16|float16.*65504"),
    ):
        pending.add("resid.frames", 0, block)


def test_the_largest_float16_is_stored(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects, arrays=world.arrays[1:2])
    ids = ids_of(collection)
    block = np.full((8, 3, 5, 6), 65504.0, np.float32) * np.where(np.arange(6) % 2, 1, -1).astype(np.float32)
    with collection.begin(collection.units()[0], provenance={}) as pending:
        pending.add("resid.frames", 0, block)
        pending.commit([ClipStatus(clip, "ok") for clip in ids], {})

    np.testing.assert_array_equal(collection.read_clips("resid.frames", ids), block.astype(np.float16))


@pytest.mark.parametrize(("name", "value"), [("resid.mean", np.nan), ("resid.mean", np.inf), ("codes", -1)])
def test_a_row_that_is_partly_missing_is_refused(
    local_objects: ObjectStore, world: Any, name: str, value: float
) -> None:
    collection = world.create(local_objects)
    block = world.values(name, ids_of(collection))
    block[(2, 1, 3)] = value

    with collection.begin(collection.units()[0], provenance={}) as pending, pytest.raises(InvalidInput):
        pending.add(name, 0, block)


def _add(name: str, first: int, shape: tuple[int, ...], dtype: str = "float32") -> Callable[[Any], None]:
    return lambda pending: pending.add(name, first, np.ones(shape, dtype))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (_add("attn.mean", 0, (8, 3, 6)), "no array 'attn.mean'.*resid.mean"),
        (_add("resid.mean", 0, (8, 6, 3)), "shape"),
        (_add("resid.mean", 0, (9, 3, 6)), "ends at clip 9 of 8"),
        (_add("codes", 0, (8, 4, 9), "int64"), "int64.*int16"),
        (_add("resid.mean", 0, (8, 3, 6), "int16"), "int16.*float32"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(
    local_objects: ObjectStore, world: Any, mistake: Callable[[Any], None], message: str
) -> None:
    collection = world.create(local_objects)
    with collection.begin(collection.units()[0], provenance={}) as pending:
        with pytest.raises(InvalidInput, match=message):
            mistake(pending)
        pending.add("resid.mean", 4, np.ones((2, 3, 6), np.float32))
        with pytest.raises(InvalidInput, match="begins at clip 5, before 6"):
            pending.add("resid.mean", 5, np.ones((2, 3, 6), np.float32))


def test_statuses_must_agree_with_the_rows(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects, arrays=world.arrays[:1])
    unit, ids = collection.units()[0], ids_of(collection)
    with collection.begin(unit, provenance={}) as pending:
        pending.add("resid.mean", 0, world.block(collection, "resid.mean", ids, ["clip0003"]))
        with pytest.raises(InvalidInput, match="clip0003 is 'ok' but has no numbers"):
            pending.commit([ClipStatus(clip, "ok") for clip in ids], {})
        with pytest.raises(InvalidInput, match="clip0002 failed but has numbers"):
            pending.commit([world.status(clip, ["clip0002", "clip0003"]) for clip in ids], {})
        with pytest.raises(InvalidInput, match="do not name its 8 clips"):
            pending.commit([ClipStatus(clip, "ok") for clip in ids[::-1]], {})
    assert collection.missing_units()[0] == unit


@pytest.mark.parametrize("failed", [[], ["clip0001"]], ids=["agreeing", "disagreeing"])
def test_a_second_writer_of_a_unit_learns_that_it_lost(
    objects: ObjectStore, world: Any, contents: Any, failed: list[str]
) -> None:
    ours, theirs = world.create(objects), world.create(objects)
    unit = ours.units()[0]
    with ours.begin(unit, provenance={}) as slow:
        assert world.write(theirs, unit).won
        before = contents(objects, "runs")
        for name in ours.arrays:
            slow.add(name, 0, world.block(ours, name, ids_of(ours), failed))
        receipt = slow.commit([world.status(clip, failed) for clip in ids_of(ours)], {})

    assert not receipt.won
    assert receipt.bytes_written == 0
    assert contents(objects, "runs") == before
    assert ours.missing_units() == theirs.missing_units()


def _truncate(data: bytes) -> bytes:
    return data[:-1]


def _other_index(data: bytes) -> bytes:
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]


def _shifted(data: bytes) -> bytes:
    return b"\0\0\0\0" + data


def _swapped_chunks(data: bytes) -> bytes:
    """Another order of inner chunks, with a right index: fine for Zarr, but not where we look."""
    chunk = 8 * 6 * 4 + 4
    index = np.frombuffer(data[3 * chunk : -4], "<u8").reshape(3, 2)[[1, 0, 2]].tobytes()
    body = data[chunk : 2 * chunk] + data[:chunk] + data[2 * chunk : 3 * chunk] + index
    return body + crc32c(index).to_bytes(4, "little")


def _nan_row(data: bytes) -> bytes:
    chunks = np.frombuffer(data[: 3 * (8 * 6 * 4 + 4)], "<f4").reshape(3, -1)[:, :-1].reshape(3, 8, 6).copy()
    chunks[:, 4] = np.nan
    return _with_sums(chunks) + data[3 * (8 * 6 * 4 + 4) :]


def _with_sums(chunks: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    """Inner chunks, each with its checksum behind it."""
    parts = [chunk.tobytes() for chunk in chunks]
    return b"".join(part + crc32c(part).to_bytes(4, "little") for part in parts)


@pytest.mark.parametrize(
    "damage", [_truncate, _shifted, _other_index, _swapped_chunks, _nan_row, lambda _: b""]
)
def test_a_shard_without_a_marker_that_disagrees_is_replaced(
    objects: ObjectStore, world: Any, contents: Any, damage: Callable[[bytes], bytes]
) -> None:
    collection = world.create(objects)
    world.write(collection, collection.units()[0])
    good = contents(objects, "runs/world/activations.zarr")
    objects.delete("runs/world/commits/unit-000000.json")
    objects.put(SHARD, damage(good[SHARD]))
    collection.refresh()

    assert world.write(collection, collection.units()[0]).won
    assert contents(objects, "runs/world/activations.zarr") == good
    assert verify(collection) == []


def test_a_shard_without_a_marker_that_agrees_is_adopted_as_it_is(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    world.write(collection, collection.units()[0])
    objects.delete("runs/world/commits/unit-000000.json")
    data = bytearray(objects.get(SHARD))
    chunks = np.frombuffer(bytes(data[: 3 * 196]), np.uint8).reshape(3, 196)[:, :192].copy()
    chunks[0, 2] ^= 1  # the last bit of a number, as another processor may compute it
    other = _with_sums(chunks) + bytes(data[3 * 196 :])
    objects.put(SHARD, other)
    collection.refresh()
    world.write(collection, collection.units()[0])

    assert objects.get(SHARD) == other
    entry = next(shard for shard in collection.markers()["unit-000000"].shards if shard.array == "resid.mean")
    sums = b"".join(other[start + 192 : start + 196] for start in range(0, 3 * 196, 196))
    assert entry.crc32c == f"{crc32c(sums + other[3 * 196 :]):08x}"
    assert verify(collection) == []


def test_a_shard_without_a_marker_whose_numbers_are_damaged_is_replaced(
    local_objects: ObjectStore, world: Any, contents: Any
) -> None:
    """A repair killed after it took the marker leaves one: index, length and rows of NaN agree."""
    collection = world.create(local_objects)
    world.write(collection, collection.units()[0])
    good = contents(local_objects, "runs/world/activations.zarr")
    local_objects.delete("runs/world/commits/unit-000000.json")
    other = bytearray(good[SHARD])
    other[2] ^= 1
    local_objects.put(SHARD, bytes(other))
    collection.refresh()
    world.write(collection, collection.units()[0])

    assert contents(local_objects, "runs/world/activations.zarr") == good


def test_a_compressed_shard_of_another_length_is_adopted_if_its_rows_agree(
    local_objects: ObjectStore, world: Any
) -> None:
    collection = world.create(local_objects)
    unit = collection.units()[0]
    key = "runs/world/activations.zarr/mlp.std/c.0.0.0"
    world.write(collection, unit)
    similar = world.create(local_objects, prefix="runs/similar", document={"model": {"name": "similar"}})
    ids = [clip.clip_id for clip in unit.clips]
    with similar.begin(unit, provenance={}) as pending:
        pending.add("mlp.std", 0, np.round(world.values("mlp.std", ids), 1))
    rounded = local_objects.get("runs/similar/activations.zarr/mlp.std/c.0.0.0")
    assert len(rounded) != local_objects.size(key)
    local_objects.delete("runs/world/commits/unit-000000.json")
    local_objects.put(key, rounded)
    collection.refresh()
    world.write(collection, unit)

    assert local_objects.get(key) == rounded
    assert verify(collection) == []


class Disturbed(LocalObjects):
    """Storage that misbehaves at one key ending."""

    def __init__(self, inner: ObjectStore, ending: str, fault: Callable[["Disturbed", str], None]) -> None:
        super().__init__(Path(inner.url))
        self.ending, self.fault = ending, fault

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        if key.endswith(self.ending):
            self.fault(self, key)
        return super().create(key, buffers)


def test_a_shard_that_vanishes_before_its_marker_stops_the_commit(
    local_objects: ObjectStore, world: Any
) -> None:
    def vanish(objects: Disturbed, _: str) -> None:
        objects.delete(SHARD)

    collection = world.create(Disturbed(local_objects, "codes/c.0.0.0", vanish))
    with pytest.raises(StorageError, match="vanished"):
        world.write(collection, collection.units()[0])
    assert collection.missing_units() == collection.units()

    world.write_all(world.create(local_objects))
    assert verify(world.create(local_objects)) == []


def test_two_writers_that_disagree_are_told(local_objects: ObjectStore, world: Any) -> None:
    """The rival's clip failed, so it replaced our shard between our shard and our marker."""

    def rival(objects: Disturbed, _: str) -> None:
        objects.ending = "nothing more"
        world.write(world.create(local_objects), collection.units()[0], failed=["clip0001"])

    collection = world.create(Disturbed(local_objects, "unit-000000.json", rival))
    with pytest.raises(Conflict, match=r"unit-000000 differently.*repair"):
        world.write(collection, collection.units()[0])


def test_memory_is_bounded_by_one_shard_per_array(local_objects: ObjectStore, world: Any) -> None:
    """32 clips of 1 MB in shards of 4: the unit is 32 MB, the writer holds about 4."""
    spec = ArraySpec("resid.frames", ("layer", "time", "feature"), (4, 128, 1024), "float16")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.arrays.layout.MAX_SHARD_BYTES", 4 * 2**20)
        clips = tuple(replace(world.clips[0], clip_id=f"clip{number}") for number in range(32))
        collection = replace(world, unit_clips=32).create(local_objects, arrays=[spec], clips=clips)
    block = np.ones((1, *spec.shape), np.float16)
    tracemalloc.start()
    with collection.begin(collection.units()[0], provenance={}) as pending:
        for place in range(32):
            pending.add(spec.name, place, block)
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in clips], {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(collection.markers()["unit-000000"].shards) == 8
    assert 4 * 2**20 < peak < 6 * 2**20
