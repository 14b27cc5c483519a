"""Plans, units, rows and reading, on both kinds of storage."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import store.arrays.markers
from store.arrays.collection import create_collection, open_collection
from store.errors import Conflict, CorruptData, InvalidInput, MissingRows, NotFound
from store.objects.counting import CountedObjects
from store.objects.protocol import ObjectStore
from store.records import ArraySpec, ClipStatus, PlannedClip


def test_every_clip_reads_back_as_it_was_written(objects: ObjectStore, world: Any) -> None:
    world.write_all(world.create(objects))
    collection = open_collection(objects, "runs/world")
    ids = [clip.clip_id for clip in world.clips]

    for name in collection.arrays:
        np.testing.assert_array_equal(collection.read_clips(name, ids), world.values(name, ids))


def test_threads_that_share_a_fresh_collection_all_see_every_clip(
    objects: ObjectStore, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write_all(world.create(objects))
    read = store.arrays.markers.read_marker

    def slowly(*arguments: Any) -> Any:
        time.sleep(0.05)
        return read(*arguments)

    monkeypatch.setattr("store.arrays.collection.read_marker", slowly)
    collection = open_collection(objects, "runs/world")
    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(lambda _: len(collection.read_layer("resid.mean", 0)[1]), range(4)))
    assert seen == [len(world.clips)] * 4


def test_a_layer_is_addressed_by_the_models_number(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    world.write_all(collection)

    for name in ("resid.mean", "resid.frames", "mlp.segments", "mlp.std"):
        layer, ids = collection.read_layer(name, 7)
        assert ids == [clip.clip_id for clip in world.clips]
        np.testing.assert_array_equal(layer, world.values(name, ids)[:, 2])
    with pytest.raises(NotFound, match=r"Layer 1 .*\(layers 0, 3, 7\)"):
        collection.read_layer("resid.mean", 1)
    with pytest.raises(NotFound, match=r"attn\.mean.*resid\.mean"):
        collection.read_layer("attn.mean", 0)


def test_rows_are_found_by_id_in_any_order(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    world.write_all(collection)
    shuffled = np.random.default_rng(3).permutation([clip.clip_id for clip in world.clips]).tolist()

    for name in collection.arrays:
        np.testing.assert_array_equal(
            collection.read_clips(name, [*shuffled, shuffled[0]]),
            world.values(name, [*shuffled, shuffled[0]]),
        )
    layer, ids = collection.read_layer("resid.frames", 3, shuffled[:5])
    assert ids == shuffled[:5]
    np.testing.assert_array_equal(layer, world.values("resid.frames", shuffled[:5])[:, 1])


def test_rows_without_a_marker_raise_although_their_shards_are_there(
    objects: ObjectStore, world: Any
) -> None:
    collection = world.create(objects)
    first, second, _ = collection.units()
    world.write(collection, first)
    with collection.begin(second, provenance={}) as pending:
        for name in collection.arrays:
            pending.add(name, 0, world.values(name, [clip.clip_id for clip in second.clips]))

    assert any("c.1." in key for key, _ in objects.list("runs/world/activations.zarr"))
    with pytest.raises(MissingRows, match=r"clip0008 \(not computed yet\)"):
        collection.read_layer("resid.mean", 0, ["clip0001", "clip0008"])
    assert collection.read_layer("resid.mean", 0)[1] == [clip.clip_id for clip in first.clips]


def test_failed_clips_have_a_status_and_no_rows(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    receipts = world.write_all(collection, failed=["clip0009", "clip0020"])

    assert [receipt.failed for receipt in receipts] == [0, 1, 1]
    status = collection.statuses()["clip0009"]
    assert status.state == "failed"
    assert status.failure is not None
    assert status.failure.stage == "decode"
    assert "clip0009" not in collection.read_layer("resid.mean", 0)[1]
    with pytest.raises(MissingRows, match=r"clip0009 \(failed\)"):
        collection.read_clips("codes", ["clip0009"])


def test_genuine_zeros_survive(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    unit = collection.units()[0]
    ids = [clip.clip_id for clip in unit.clips]
    with collection.begin(unit, provenance={}) as pending:
        for name, spec in collection.arrays.items():
            pending.add(name, 0, np.zeros((len(ids), *spec.shape), spec.dtype))
        pending.commit([world.status(clip, []) for clip in ids], {})

    for name in collection.arrays:
        assert (collection.read_clips(name, ids) == 0).all()


def test_resuming_is_plan_minus_markers(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    units = collection.units()
    assert [(unit.unit_id, unit.first_row, len(unit.clips)) for unit in units] == [
        ("unit-000000", 0, 8),
        ("unit-000001", 8, 8),
        ("unit-000002", 16, 5),
    ]
    world.write(collection, units[1])

    again = world.create(objects)
    assert again.missing_units() == [units[0], units[2]]


def test_creating_the_same_collection_again_changes_nothing(
    objects: ObjectStore, world: Any, contents: Any
) -> None:
    world.write_all(world.create(objects))
    before = contents(objects, "runs")
    world.create(objects)

    assert contents(objects, "runs") == before


@pytest.mark.parametrize(
    "change",
    [
        {"document": {"model": {"name": "other"}}},
        {"clips": tuple(PlannedClip(f"other{n}", "a", 0.0, 4.0) for n in range(21))},
        {"arrays": (ArraySpec("resid.mean", ("layer", "feature"), (3, 7), "float32"),)},
    ],
    ids=["document", "clips", "arrays"],
)
def test_another_collection_of_the_same_name_is_a_conflict(
    local_objects: ObjectStore, world: Any, change: dict[str, Any]
) -> None:
    world.create(local_objects)

    with pytest.raises(Conflict, match="runs/world"):
        world.create(local_objects, **change)


def test_a_plan_left_over_without_its_document_is_a_conflict_only_if_it_differs(
    local_objects: ObjectStore, world: Any
) -> None:
    world.create(local_objects)
    local_objects.delete("records/runs/world/run.json.json")
    with pytest.raises(Conflict, match="another plan"):
        world.create(local_objects, clips=world.clips[:5])

    assert len(world.create(local_objects).units()) == 3


def test_clip_ids_must_differ(local_objects: ObjectStore, world: Any) -> None:
    with pytest.raises(InvalidInput, match="22 clips, 21 ids"):
        world.create(local_objects, clips=(*world.clips, world.clips[0]))


def test_supplementary_units_have_rows_of_their_own_and_the_newest_row_counts(
    objects: ObjectStore, world: Any
) -> None:
    collection = world.create(objects)
    failed = ["clip0003", "clip0017"]
    world.write_all(collection, failed=failed)
    retried = collection.append_units([clip for clip in world.clips if clip.clip_id in failed])

    assert [(unit.unit_id, unit.first_row) for unit in retried] == [("unit-000003", 24)]
    assert collection.missing_units() == retried
    with pytest.raises(MissingRows):
        collection.read_clips("resid.mean", failed)
    world.write_all(collection)
    reopened = open_collection(objects, "runs/world")
    for name in reopened.arrays:
        np.testing.assert_array_equal(reopened.read_clips(name, failed), world.values(name, failed))
    layer, ids = reopened.read_layer("resid.mean", 0)
    assert ids == [clip.clip_id for clip in world.clips]
    np.testing.assert_array_equal(layer, world.values("resid.mean", ids)[:, 0])


def test_a_clip_computed_again_resolves_to_the_later_row(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    world.write_all(collection)
    retried = collection.append_units(world.clips[:1])
    rows = {row["clip_id"]: row for row in collection.rows().to_pylist()}
    assert rows["clip0000"]["row"] == 0

    world.write(collection, retried[0])
    rows = {row["clip_id"]: row for row in collection.rows().to_pylist()}
    assert rows["clip0000"] == {"clip_id": "clip0000", "row": 24, "unit_id": "unit-000003", "state": "ok"}
    assert len(rows) == 21


def test_two_drivers_appending_the_same_clips_get_different_units_or_a_conflict(
    local_objects: ObjectStore, world: Any
) -> None:
    ours, theirs = world.create(local_objects), world.create(local_objects)
    ours.units(), theirs.units()
    first = ours.append_units(world.clips[:2])
    second = theirs.append_units(world.clips[:2])

    assert first[0].first_row == 24
    assert second[0].first_row == 32
    assert len(open_collection(local_objects, "runs/world").units()) == 5


def test_markers_written_elsewhere_appear_after_refresh(objects: ObjectStore, world: Any) -> None:
    ours, theirs = world.create(objects), world.create(objects)
    assert ours.markers() == {}
    world.write_all(theirs)

    assert ours.markers() == {}
    ours.refresh()
    assert list(ours.markers()) == ["unit-000000", "unit-000001", "unit-000002"]
    assert ours.missing_units() == []


def test_a_marker_says_what_was_written_where(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection, failed=["clip0002"])
    marker = json.loads(local_objects.get("runs/world/commits/unit-000000.json"))

    assert marker["provenance"] == {"device": "cpu"}
    assert [clip["state"] for clip in marker["clips"]][:4] == ["ok", "ok", "failed", "ok"]
    assert marker["clips"][2]["failure"]["error"] == "AudioError"
    assert {shard["array"] for shard in marker["shards"]} == set(collection.arrays)
    for shard in marker["shards"]:
        assert local_objects.size(f"runs/world/{shard['key']}") == shard["bytes"]


def test_iterating_gives_the_same_blocks_for_any_number_of_workers(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    world.write_all(collection, failed=["clip0010"])

    for shuffle in (None, 11):
        alone = list(collection.iter_layer("resid.mean", 3, block_clips=3, shuffle=shuffle))
        assert len(alone) == 7
        shared = [
            list(
                collection.iter_layer(
                    "resid.mean", 3, block_clips=3, shuffle=shuffle, rank=rank, world_size=4
                )
            )
            for rank in range(4)
        ]
        for number, (block, ids) in enumerate(alone):
            theirs, their_ids = shared[number % 4][number // 4]
            assert ids == their_ids
            np.testing.assert_array_equal(block, theirs)
            np.testing.assert_array_equal(block, world.values("resid.mean", ids)[:, 1])


def test_a_shuffled_pass_over_a_large_layer_reads_each_shard_once_for_all_readers_together(
    local_objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.arrays.passes.BUFFERS", 8)
    monkeypatch.setattr("store.arrays.passes.BUFFER_BYTES", 8 * 8 * 16)
    clips = [PlannedClip(f"clip{number:04d}", "a.wav", float(number), 1.0) for number in range(1000)]
    spec = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")
    made = create_collection(
        local_objects, "runs/large", document={}, arrays=[spec], clips=clips, unit_clips=8
    )
    values = np.arange(2000, dtype=np.float32).reshape(1000, 1, 2)
    for unit in made.units():
        with made.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, values[unit.first_row : unit.first_row + 8])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})

    def blocks(**shared: int) -> tuple[list[tuple[str, ...]], int]:
        objects = CountedObjects(local_objects)
        found = []
        for block, ids in open_collection(objects, "runs/large").iter_layer(
            "resid.mean", 0, block_clips=16, shuffle=5, **shared
        ):
            np.testing.assert_array_equal(block[:, 0], [2 * int(clip[4:]) for clip in ids])
            found.append(tuple(ids))
        return found, sum("/c." in key for key in objects.requests.keys)

    alone, reads = blocks()
    assert sorted(clip for ids in alone for clip in ids) == [clip.clip_id for clip in clips]
    assert reads <= 125 + len(alone) // 7 + 1  # shards, and those that two buffers share
    steps = np.abs(np.diff([int(clip[4:]) for ids in alone for clip in ids]))
    assert np.median(steps) > 8
    for readers in (2, 3):
        shared = [blocks(rank=rank, world_size=readers)[0] for rank in range(readers)]
        assert sorted(ids for found in shared for ids in found) == sorted(alone)
        assert all(shared)


def test_shuffling_is_a_reproducible_permutation(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)

    def order(shuffle: int | None) -> list[str]:
        blocks = collection.iter_layer("resid.mean", 0, block_clips=4, shuffle=shuffle)
        return [clip for _, ids in blocks for clip in ids]

    assert order(1) == order(1) != order(2)
    assert order(None) == [clip.clip_id for clip in world.clips] == sorted(order(1))


def test_attempts_are_counted_across_processes(objects: ObjectStore, world: Any) -> None:
    ours, theirs = world.create(objects), world.create(objects)

    assert [ours.note_attempt("unit-000001"), theirs.note_attempt("unit-000001")] == [1, 2]
    assert ours.note_attempt("unit-000000") == 1
    assert theirs.attempts() == {"unit-000000": 1, "unit-000001": 2}


def test_the_heartbeat_tells_its_age(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    assert collection.heartbeat_age_seconds() is None
    collection.beat("a")
    age = collection.heartbeat_age_seconds()

    assert age is not None
    assert 0 <= age < 10


def test_a_driver_that_ends_leaves_the_heartbeats_of_others(objects: ObjectStore, world: Any) -> None:
    collection = world.create(objects)
    collection.beat("a")
    collection.beat("b")
    collection.rest("a")
    assert collection.heartbeat_age_seconds() is not None
    collection.rest("b")
    assert collection.heartbeat_age_seconds() is None


def test_no_file_knows_where_the_store_lies_and_a_copy_opens(
    tmp_path: Any, world: Any, contents: Any
) -> None:
    import shutil

    from store.opening import open_store

    store = open_store(tmp_path / "original", create=True)
    world.write_all(world.create(store.objects))
    for key, data in contents(store.objects, "").items():
        assert str(tmp_path).encode() not in data, key

    shutil.move(tmp_path / "original", tmp_path / "moved elsewhere")
    run = open_store(tmp_path / "moved elsewhere").run("wor")
    np.testing.assert_array_equal(
        run.read_clips("resid.mean", ["clip0013"]), world.values("resid.mean", ["clip0013"])
    )


def test_an_empty_selection_reads_an_empty_array(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)

    for name in ("resid.mean", "mlp.std"):
        assert collection.read_layer(name, 0, [])[0].shape == (0, 6)
    assert world.create(local_objects, prefix="runs/other").read_layer("resid.mean", 0)[0].shape == (0, 6)


def test_layouts_follow_the_document_not_the_defaults_of_today(
    local_objects: ObjectStore, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write_all(world.create(local_objects))
    monkeypatch.setattr("store.arrays.layout.MAX_SHARD_BYTES", 200)
    collection = open_collection(local_objects, "runs/world")

    np.testing.assert_array_equal(
        collection.read_clips("resid.frames", ["clip0005"]), world.values("resid.frames", ["clip0005"])
    )


def test_dimension_names_and_shapes_are_checked(local_objects: ObjectStore, world: Any) -> None:
    bad = replace(world.arrays[0], dtype="float64")
    with pytest.raises(InvalidInput, match=r"float64.*float32"):
        world.create(local_objects, arrays=(bad,))


SHARDS = {
    "resid.mean": "resid.mean/c.0.0.0",
    "resid.frames": "resid.frames/c.0.0.0.0",
    "mlp.segments": "mlp.segments/c.0.0.0.0",
    "mlp.std": "mlp.std/c.0.0.0",
}


@pytest.mark.parametrize("name", SHARDS)
@pytest.mark.parametrize("wanted", [None, ["clip0000"], ["clip0005", "clip0000", "clip0012"]])
def test_a_damaged_chunk_is_refused_whatever_is_wanted_of_it_unless_nobody_looks(
    local_objects: ObjectStore, world: Any, name: str, wanted: list[str] | None
) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    key = f"{collection.group}/{SHARDS[name]}"
    data = bytearray(local_objects.get(key))
    layout = collection.layouts[name]
    place = layout.row_offset(0, 0) + 1 if layout.spec.compression == "none" else 20
    data[place] ^= 4
    local_objects.put(key, bytes(data))

    with pytest.raises(CorruptData, match=key.replace(".", r"\.")):
        collection.read_layer(name, 0, wanted)
    if layout.spec.compression == "none":
        collection.read_layer(name, 0, wanted, verify=False)
    np.testing.assert_array_equal(
        collection.read_layer(name, 7, ["clip0012"])[0], world.values(name, ["clip0012"])[:, 2]
    )


def test_a_chunk_is_checked_once_and_then_only_its_rows_are_read(
    local_objects: ObjectStore, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    sizes: list[int] = []
    read = local_objects.read_ranges

    def counted(key: str, ranges: Any) -> None:
        sizes.append(sum(len(memory) for _, memory in ranges))
        read(key, ranges)

    monkeypatch.setattr(local_objects, "read_ranges", counted)
    for _ in range(2):
        values, _ = collection.read_layer("resid.mean", 3, ["clip0002", "clip0006"])
        np.testing.assert_array_equal(values, world.values("resid.mean", ["clip0002", "clip0006"])[:, 1])
    assert sizes == [8 * 6 * 4 + 4, 2 * 6 * 4]
