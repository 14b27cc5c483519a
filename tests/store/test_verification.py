"""Verify finds every kind of damage, repair withdraws what is hit, and the next run mends it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from store.arrays.collection import open_collection
from store.arrays.verification import repair, verify
from store.errors import Conflict, CorruptData
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json

GROUP = "runs/world/activations.zarr"
SHARD = f"{GROUP}/resid.frames/c.1.0.0.0"
MARKER = "runs/world/commits/unit-000001.json"


def _flip(objects: ObjectStore, key: str) -> None:
    data = bytearray(objects.get(key))
    data[len(data) // 2] ^= 1
    objects.put(key, bytes(data))


def _cut(objects: ObjectStore, key: str) -> None:
    objects.put(key, objects.get(key)[:-1])


def _remove(objects: ObjectStore, key: str) -> None:
    objects.delete(key)


@pytest.mark.parametrize(("damage", "problem"), [(_flip, "checksum"), (_cut, "length"), (_remove, "missing")])
def test_a_damaged_shard_is_found_withdrawn_and_mended(
    objects: ObjectStore, world: Any, contents: Any, damage: Callable[..., None], problem: str
) -> None:
    collection = world.create(objects)
    world.write_all(collection)
    good = contents(objects, GROUP)
    assert verify(collection) == []
    damage(objects, SHARD)

    found = verify(collection)
    assert [(entry.problem, entry.key, entry.unit_id) for entry in found] == [(problem, SHARD, "unit-000001")]
    assert verify(collection, unit_ids=["unit-000000"]) == []
    assert [unit.unit_id for unit in repair(collection, found)] == ["unit-000001"]
    assert not objects.exists(SHARD)
    assert [unit.unit_id for unit in collection.missing_units()] == ["unit-000001"]
    world.write_all(collection)
    assert contents(objects, GROUP) == good
    assert verify(open_collection(objects, "runs/world")) == []


def test_every_single_byte_of_a_shard_is_guarded(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    key = f"{GROUP}/resid.mean/c.2.0.0"
    good = local_objects.get(key)
    for place in range(0, len(good), 37):
        local_objects.put(key, good[:place] + bytes([good[place] ^ 128]) + good[place + 1 :])
        assert [entry.problem for entry in verify(collection, unit_ids=["unit-000002"])] == ["checksum"]


def test_repair_refuses_while_a_driver_is_at_work(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    _flip(local_objects, SHARD)
    found = verify(collection)
    collection.beat("a")

    with pytest.raises(Conflict, match="heartbeat"):
        repair(collection, found)
    assert local_objects.exists(MARKER)
    local_objects.put("runs/world/heartbeat/a", json.dumps({"at": 1.0}).encode())
    assert len(repair(collection, found)) == 1


def test_markers_go_before_shards(
    local_objects: ObjectStore, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    _flip(local_objects, SHARD)
    deleted: list[str] = []
    monkeypatch.setattr(local_objects, "delete", deleted.append)
    repair(collection, verify(collection))

    assert deleted[0] == MARKER
    assert sorted(deleted[1:]) == sorted(
        f"runs/world/{shard.key}" for shard in collection.markers()["unit-000001"].shards
    )


@pytest.mark.parametrize("text", ["not json", "{}", '{"format": 2, "unit_id": 3}', "[1]", ""])
def test_a_marker_that_cannot_be_read_withdraws_its_unit(
    local_objects: ObjectStore, world: Any, text: str
) -> None:
    world.write_all(world.create(local_objects))
    local_objects.put(MARKER, text.encode())
    collection = open_collection(local_objects, "runs/world")
    with pytest.raises(CorruptData, match=r"unit-000001.json"):
        collection.markers()

    found = verify(collection)
    assert [(entry.problem, entry.unit_id) for entry in found] == [("marker", "unit-000001")]
    repair(collection, found)
    world.write_all(collection)
    assert verify(collection) == []


def test_a_marker_of_other_clips_or_shards_is_found(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    marker = opened_json(local_objects.get(MARKER), MARKER)
    marker["clips"].reverse()
    del marker["shards"][0]
    local_objects.put(MARKER, sealed_json(marker))

    assert [entry.detail for entry in verify(collection)] == [
        "its clips are not those of the plan",
        "its shards are not those of the unit",
    ]


def test_objects_of_no_unit_are_strangers_and_swept(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    for key in (
        f"{GROUP}/resid.mean/c.9.0.0",
        f"{GROUP}/attn.mean/zarr.json",
        "runs/world/commits/unit-000009.json",
    ):
        marker = opened_json(local_objects.get(MARKER), MARKER)
        local_objects.put(key, sealed_json({**marker, "unit_id": "unit-000009"}))

    found = verify(collection)
    assert {entry.problem for entry in found} == {"stranger"}
    assert len(found) == 3
    assert repair(collection, found) == []
    assert verify(collection) == []


def test_shards_of_units_still_to_come_are_no_disagreement(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    local_objects.delete(MARKER)

    assert verify(collection) == []


def test_array_documents_are_checked_and_rewritten(
    local_objects: ObjectStore, world: Any, contents: Any
) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    good = contents(local_objects, GROUP)
    local_objects.put(f"{GROUP}/resid.mean/zarr.json", b"{")
    local_objects.delete(f"{GROUP}/resid.frames/zarr.json")
    wrong = json.loads(good[f"{GROUP}/codes/zarr.json"]) | {"fill_value": 0}
    local_objects.put(f"{GROUP}/codes/zarr.json", json.dumps(wrong).encode())
    local_objects.delete(f"{GROUP}/zarr.json")

    found = verify(collection)
    assert sorted(entry.key for entry in found) == [
        f"{GROUP}/codes/zarr.json",
        f"{GROUP}/resid.frames/zarr.json",
        f"{GROUP}/resid.mean/zarr.json",
        f"{GROUP}/zarr.json",
    ]
    assert repair(collection, found) == []
    assert contents(local_objects, GROUP) == good
    assert verify(collection) == []


def test_a_changed_plan_is_found_and_not_repaired(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    other = world.create(local_objects, prefix="runs/other", clips=world.clips[::-1])
    local_objects.put(
        "runs/world/plan/part-0000.parquet", local_objects.get(f"{other.prefix}/plan/part-0000.parquet")
    )
    collection.refresh()

    found = verify(collection)
    assert "plan" in {entry.problem for entry in found}
    with pytest.raises(CorruptData, match="cannot be repaired"):
        repair(collection, found)
