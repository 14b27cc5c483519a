"""Manifests stand for many markers: while one is made, replaced or undone, readers see the same."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.arrays.collection import Collection, create_collection, open_collection
from store.arrays.layout import marker_key
from store.arrays.manifests import covered_keys, manifest_key
from store.arrays.markers import encode_marker
from store.arrays.verification import repair, verify
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import CorruptData
from store.objects.counting import CountedObjects
from store.objects.ledger import is_recorded, record_key
from store.objects.local import LocalObjects
from store.objects.protocol import ObjectStore
from store.opening import Store, open_store
from store.records import ArraySpec, ClipStatus, Failure, PlannedClip
from store.results.parts import committed_digest
from store.upkeep.garbage import COVERED, Wanted, collect, find_garbage
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend

PREFIX = "runs/many"
ARRAY = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")
DOCUMENT = {"model": {"name": "tiny"}, "capture": {}}
UNITS, GROUP = 7, 3
CLIPS = [PlannedClip(f"clip{number:03d}", "a.wav", float(number), 1.0) for number in range(2 * UNITS)]


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three groups: two of three units, and one that is not full; what is killed here is no machine."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr("store.arrays.manifests.GROUP_UNITS", GROUP)
    monkeypatch.setattr("store.arrays.manifests.MOST_LOOSE", 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "music.store", create=True)


def made(objects: ObjectStore) -> Collection:
    return create_collection(objects, PREFIX, document=DOCUMENT, arrays=[ARRAY], clips=CLIPS, unit_clips=2)


def row(clip: PlannedClip) -> np.ndarray:
    return np.full((1, 2), 1 + clip.start_seconds, np.float32)


def write(collection: Collection, number: int) -> bool:
    """Commit one unit; the first clip of every third fails, the second of every other is silent."""
    unit = collection.plan().unit(number)
    states = ["failed" if number % 3 == 0 else "ok", "silent" if number % 2 else "ok"]
    values = np.stack([row(clip) for clip in unit.clips])
    values[[state == "failed" for state in states[: len(unit.clips)]]] = np.nan
    statuses = [_status(clip.clip_id, state) for clip, state in zip(unit.clips, states, strict=True)]
    with collection.begin(unit, provenance={"device": "cpu"}) as pending:
        pending.add("resid.mean", 0, values)
        return pending.commit(statuses, {"forward": 0.5}).won


def _status(clip_id: str, state: Any) -> ClipStatus:
    return ClipStatus(clip_id, state, Failure(clip_id, "decode", "E", "ü") if state == "failed" else None)


def written(objects: ObjectStore) -> Collection:
    collection = made(objects)
    for number in range(UNITS):
        write(collection, number)
    return collection


def seen(objects: ObjectStore) -> tuple[Any, ...]:
    """All that a reader learns of the collection."""
    collection = open_collection(objects, PREFIX)
    values, ids = collection.read_layer("resid.mean", 0)
    markers = [encode_marker(marker) for marker in collection.markers().values()]
    return (
        collection.statuses(),
        collection.rows(),
        values.tolist(),
        ids,
        markers,
        committed_digest(collection),
    )


def completed(objects: Any) -> None:
    open_collection(objects, PREFIX).note_complete()


def markers_in(objects: ObjectStore) -> list[str]:
    return [key.rsplit("/", 1)[-1] for key, _ in objects.list(f"{PREFIX}/commits")]


class Killed(BaseException):
    """The process ends here."""


class Fragile:
    """Storage whose user is killed before its n-th change; many deletions are changes one by one."""

    def __init__(self, objects: ObjectStore, changes: int) -> None:
        self._objects, self.left = objects, changes

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._objects, name)
        if name not in ("create", "put", "delete"):
            return method

        def call(*arguments: Any) -> Any:
            self._step()
            return method(*arguments)

        return call

    def delete_all(self, keys: list[str]) -> None:
        for key in keys:
            self.delete(key)


def killed_at_every_step(store: Store, task: Callable[[Any], object]) -> Iterator[ObjectStore]:
    """A copy of the store for each change of a task, in which the task was killed before it; last the end."""
    for changes in range(200):
        copy = Path(store.url).with_name(f"killed-{changes}")
        shutil.copytree(store.url, copy)
        fragile: Any = Fragile(LocalObjects(copy), changes)
        try:
            task(fragile)
        except Killed:
            yield LocalObjects(copy)
        else:
            yield LocalObjects(copy)
            return
    raise AssertionError("the task never ends")


def test_markers_become_manifests_and_nothing_else_changes(store: Store) -> None:
    collection = written(store.objects)
    before, count = seen(store.objects), len(list(store.objects.list("")))
    collection.note_complete()
    assert seen(store.objects) == before
    assert markers_in(store.objects) == ["000000-0003.parquet", "000001-0003.parquet", "000002-0001.parquet"]
    assert len(list(store.objects.list(""))) == count - 7 + 2 * 3 + 1
    assert inspect(store.objects) == []


def test_only_full_groups_are_compacted_while_work_goes_on(store: Store) -> None:
    collection = made(store.objects)
    for number in (0, 2, 3, 4, 5, 6):
        write(collection, number)
    assert collection.compact() == 1
    assert markers_in(store.objects) == [
        "000001-0003.parquet", "unit-000000.json", "unit-000002.json", "unit-000006.json"
    ]  # fmt: skip
    again = open_collection(store.objects, PREFIX)
    assert again.missing().numbers.tolist() == [1]
    assert collection.compact() == 0


def test_few_markers_of_the_last_group_stay_beside_the_manifests(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.arrays.manifests.MOST_LOOSE", 1)
    collection = written(store.objects)
    collection.note_complete()
    assert markers_in(store.objects) == ["000000-0003.parquet", "000001-0003.parquet", "unit-000006.json"]
    store.objects.delete(marker_key(PREFIX, "unit-000006"))
    with pytest.raises(CorruptData, match=r"unit-000006\.json: the marker is gone although"):
        open_collection(store.objects, PREFIX).commits()


def test_a_compaction_killed_at_any_step_is_seen_by_nobody_and_finished_by_the_next(store: Store) -> None:
    written(store.objects)
    before, steps = seen(store.objects), 0
    for objects in killed_at_every_step(store, completed):
        steps += 1
        assert seen(objects) == before
        completed(objects)
        assert seen(objects) == before
        assert markers_in(objects) == ["000000-0003.parquet", "000001-0003.parquet", "000002-0001.parquet"]
        assert damage(inspect(objects)) == []
    assert steps > 3 * 2 + UNITS


def test_a_larger_manifest_takes_the_place_of_a_smaller_one_at_any_step(store: Store) -> None:
    collection = written(store.objects)
    collection.note_complete()
    collection.append_units([CLIPS[0]])
    with collection.begin(collection.plan().unit(UNITS), provenance={}) as pending:
        pending.add("resid.mean", 0, row(CLIPS[0])[np.newaxis])
        pending.commit([ClipStatus(CLIPS[0].clip_id, "ok")], {})
    before = seen(store.objects)
    assert before[0][CLIPS[0].clip_id].state == "ok"
    for objects in killed_at_every_step(store, completed):
        assert seen(objects) == before
        completed(objects)
        assert seen(objects) == before
        assert markers_in(objects)[-1] == "000002-0002.parquet"
        assert not is_recorded(objects, manifest_key(PREFIX, 2, 1))
        assert damage(inspect(objects)) == []


def test_a_manifest_grows_with_the_head_of_its_group_and_killed_at_any_step_is_seen_by_nobody(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.arrays.manifests.GROUP_UNITS", 6)
    monkeypatch.setattr("store.arrays.manifests.STEP_UNITS", 2)
    collection = made(store.objects)
    for number in (0, 1, 3, 4):
        write(collection, number)
    assert collection.compact() == 1
    assert markers_in(store.objects) == ["000000-0002.parquet", "unit-000003.json", "unit-000004.json"]
    assert collection.compact() == 0, "unit 2 is a gap"
    write(collection, 2)
    before = seen(store.objects)

    def compacted(objects: Any) -> None:
        open_collection(objects, PREFIX).compact()

    for objects in killed_at_every_step(store, compacted):
        assert seen(objects) == before
        compacted(objects)
        assert seen(objects) == before
        assert markers_in(objects) == ["000000-0005.parquet"]
        assert not is_recorded(objects, manifest_key(PREFIX, 0, 2))
        assert damage(inspect(objects)) == []


def test_gc_deletes_what_a_killed_compaction_left_unless_its_manifest_is_damaged(store: Store) -> None:
    written(store.objects)
    before, swept = seen(store.objects), 0
    for objects in killed_at_every_step(store, completed):
        found = [garbage for garbage in find_garbage(objects, Wanted()) if garbage.kind == COVERED]
        swept += len(collect(objects, found))
        assert seen(objects) == before
        assert covered_keys(objects, PREFIX) == []
    assert swept > 3

    objects = store.objects
    data = objects.get(marker_key(PREFIX, "unit-000001"))
    completed(objects)
    objects.put(marker_key(PREFIX, "unit-000001"), data)
    assert covered_keys(objects, PREFIX) == [marker_key(PREFIX, "unit-000001")]
    objects.put(manifest_key(PREFIX, 0, 3), b"damaged")
    assert find_garbage(objects, Wanted()) == [], "the marker is all that is left of what the manifest said"


class Meddled:
    """Storage in which something happens before the n-th call of its reader."""

    def __init__(self, objects: ObjectStore, calls: int, event: Callable[[], object]) -> None:
        self._objects, self.calls, self._event = objects, calls, event

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._objects, name)
        if not callable(method):
            return method

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls -= 1
            if self.calls == 0:
                self._event()
            return method(*arguments, **options)

        return call


@pytest.mark.parametrize("kind", ["compacted", "expanded"])
def test_a_reader_sees_every_unit_whenever_others_compact_or_undo_it(tmp_path: Path, kind: str) -> None:
    call, ended = 0, False
    while not ended:
        call += 1
        objects = LocalObjects(tmp_path / f"{call}")
        collection = written(objects)
        if kind == "expanded":
            collection.note_complete()

        def happens(objects: ObjectStore = objects, collection: Collection = collection) -> None:
            if kind == "compacted":
                collection.note_complete()
            else:
                _withdraw(objects, "unit-000004")

        meddled = Meddled(objects, call, happens)
        reader: Any = meddled
        found = open_collection(reader, PREFIX).commits().unit_ids
        ended = meddled.calls > 0
        every = {f"unit-{number:06d}" for number in range(UNITS)}
        assert set(found) >= every - ({"unit-000004"} if kind == "expanded" else set())


def _withdraw(objects: ObjectStore, unit_id: str) -> None:
    collection = open_collection(objects, PREFIX)
    number = collection.plan().number[unit_id]
    objects.put(f"{PREFIX}/activations.zarr/resid.mean/c.{number}.0.0", b"damaged")
    assert repair(collection, verify(collection))


def test_a_damaged_unit_leaves_its_manifest_at_any_step_and_the_others_stay(store: Store) -> None:
    collection = written(store.objects)
    collection.note_complete()
    statuses = collection.statuses()
    shard = f"{PREFIX}/activations.zarr/resid.mean/c.4.0.0"
    store.objects.put(shard, store.objects.get(shard)[:-1] + b"!")

    def mended(objects: Any) -> None:
        mend(objects, damage(inspect(objects)))

    others = {clip: status for clip, status in statuses.items() if clip not in ("clip008", "clip009")}
    for objects in killed_at_every_step(store, mended):
        now = open_collection(objects, PREFIX).statuses()
        assert {clip: now.get(clip) for clip in others} == others
        mended(objects)
        again = open_collection(objects, PREFIX)
        assert [unit.unit_id for unit in again.missing_units()] == ["unit-000004"]
        write(again, 4)
        again.note_complete()
        assert open_collection(objects, PREFIX).statuses() == statuses
        assert damage(inspect(objects)) == []


@pytest.mark.parametrize("what", ["manifest", "record", "gone"])
def test_a_damaged_manifest_or_record_is_named_and_mended(store: Store, what: str) -> None:
    collection = written(store.objects)
    collection.note_complete()
    statuses = collection.statuses()
    key = manifest_key(PREFIX, 1, 3)
    place = record_key(key) if what == "record" else key
    if what == "gone":
        store.objects.delete(key)
    else:
        data = bytearray(store.objects.get(place))
        data[len(data) // 2] ^= 1
        store.objects.put(place, bytes(data))
    if what != "record":  # that of completion says the same
        with pytest.raises(CorruptData, match="000001-0003"):
            open_collection(store.objects, PREFIX).commits()
    found = damage(inspect(store.objects))
    assert place in [entry.key for entry in found]
    mend(store.objects, found)
    again = made(store.objects)
    lost = [] if what == "record" else [3, 4, 5]
    assert again.missing().numbers.tolist() == lost
    for number in lost:
        assert write(again, number)
    again.note_complete()
    assert open_collection(store.objects, PREFIX).statuses() == statuses
    assert inspect(store.objects) == []


def test_a_writer_that_wakes_after_its_unit_was_compacted_touches_nothing(store: Store) -> None:
    collection = written(store.objects)
    late = open_collection(store.objects, PREFIX)
    collection.note_complete()
    before = {key: store.objects.get(key) for key, _ in store.objects.list("")}
    unit = late.plan().unit(1)
    with late.begin(unit, provenance={}) as pending:
        pending.add("resid.mean", 0, np.zeros((2, 1, 2), np.float32))
        receipt = pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    assert not receipt.won
    assert {key: store.objects.get(key) for key, _ in store.objects.list("")} == before
    assert late.is_committed(unit.unit_id)
    assert late.marker(unit) == collection.markers()[unit.unit_id]


def test_sql_answers_the_same_before_and_after(store: Store) -> None:
    collection = written(store.objects)
    queries = [
        "FROM parts.commits SELECT * EXCLUDE (_part) ORDER BY ALL",
        "FROM parts.clip_states SELECT * EXCLUDE (_part) ORDER BY ALL",
    ]

    def answers() -> list[Any]:
        catalog = refresh_catalog(store)
        return [run_query(catalog, query) for query in queries]

    before = answers()
    collection.note_complete()
    assert answers() == before
    assert before[0].num_rows == UNITS


def test_a_manifest_that_was_never_recorded_counts_for_nothing_and_is_taken_on(store: Store) -> None:
    collection = written(store.objects)
    before = seen(store.objects)
    store.objects.create(manifest_key(PREFIX, 0, 3), [b"half a file of another program"])
    assert seen(store.objects) == before
    collection.note_complete()
    assert seen(store.objects) == before
    assert inspect(store.objects) == []


def test_a_removed_run_leaves_nothing_and_can_be_made_again(store: Store) -> None:
    from store.upkeep.removal import remove_run

    written(store.objects).note_complete()
    remove_run(store.objects, "many")
    assert [key for key, _ in store.objects.list("") if "many" in key] == []
    assert len(made(store.objects).missing()) == UNITS
    assert collect(store.objects, find_garbage(store.objects, Wanted())) == []


def test_a_store_of_format_2_is_read_as_it_is_and_raised_by_its_first_manifest(store: Store) -> None:
    from store.objects.sealed import opened_json, sealed_json

    store.objects.put("undertone.json", sealed_json({"format": "undertone", "version": 2}))
    collection = written(store.objects)
    assert open_store(store.url).run("many").is_complete()
    collection.note_complete()
    assert opened_json(store.objects.get("undertone.json"), "")["version"] == 3


def test_what_a_reader_asks_does_not_grow_with_the_markers_that_were_compacted(tmp_path: Path) -> None:
    asked = []
    for units in (GROUP, 4 * GROUP):
        objects = LocalObjects(tmp_path / f"{units}")
        clips = [PlannedClip(f"clip{number:03d}", "a.wav", float(number), 1.0) for number in range(2 * units)]
        collection = create_collection(
            objects, PREFIX, document=DOCUMENT, arrays=[ARRAY], clips=clips, unit_clips=2
        )
        for number in range(units):
            write(collection, number)
        collection.note_complete()
        counted = CountedObjects(objects)
        open_collection(counted, PREFIX).index()
        asked.append(counted.requests.total)
    assert asked[1] - asked[0] == 3  # one for each further group
