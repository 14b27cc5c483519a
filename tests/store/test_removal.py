"""What removing a run or a dataset leaves behind, also where it is killed at any step."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from store.arrays.collection import Collection, create_collection
from store.datasets import add_dataset, dataset_names
from store.errors import Conflict, InvalidInput, NotFound
from store.heartbeats import refuse_if_at_work
from store.objects.protocol import ObjectStore
from store.objects.storage import open_objects
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip
from store.results.parts import write_results
from store.tags import read_tags, set_tag
from store.upkeep import removal
from store.upkeep.inspection import damage, inspect
from store.upkeep.removal import leftover_datasets, leftover_runs, removable_run, remove_dataset, remove_run
from store.upkeep.standing import results_about

ARRAY = ArraySpec("resid.mean", ("layer", "feature"), (2, 3), "float32")
PLANNED = [PlannedClip(f"clip{n}", f"{n}.wav", 0.0, 4.0) for n in range(10)]
INFO = {"format": "folder", "root": {"kind": "local"}, "counts": {}}
CLIPS = [Clip(f"clip{n}", f"{n}.wav", 0.0, 4.0, "a", "train", f"{n:064x}", 0.0, {}) for n in range(3)]


def create(objects: ObjectStore, prefix: str) -> Collection:
    """A collection of ten clips in two units, or what is there of it."""
    document = {"dataset": {"name": "songs"}}
    return create_collection(objects, prefix, document=document, arrays=[ARRAY], clips=PLANNED, unit_clips=8)


def complete(collection: Collection) -> None:
    """Write what is missing: of every clip its number."""
    for unit in collection.missing_units():
        with collection.begin(unit, provenance={}) as pending:
            numbers = [float(clip.clip_id.removeprefix("clip")) for clip in unit.clips]
            pending.add("resid.mean", 0, np.repeat(np.array(numbers, np.float32), 6).reshape(-1, 2, 3))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    collection.note_complete()


class Watched:
    """Objects that call back before each change; `make_room` may be many changes, so it does nothing."""

    def __init__(self, objects: ObjectStore, before: Callable[[], None]) -> None:
        self._objects, self._before = objects, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def make_room(self, key: str, *, folders: bool) -> bool:
        return False

    def delete(self, key: str) -> None:
        if self._objects.exists(key):
            self._before()
        self._objects.delete(key)

    def put(self, key: str, data: bytes) -> None:
        self._before()
        self._objects.put(key, data)


@pytest.fixture(autouse=True)
def nothing_is_recent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written a moment ago may be removed at once."""
    monkeypatch.setattr(removal, "RECENT_SECONDS", 0.0)


@pytest.fixture
def filled(original: Path, tmp_path: Path) -> Path:
    """A copy of the original."""
    return copy(original, tmp_path / "filled")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two complete runs of a dataset, the first with a further part of its plan; codes, tags, results."""
    folder = tmp_path_factory.mktemp("removal") / "original"
    store = open_store(folder, create=True)
    add_dataset(store.objects, "songs", INFO, CLIPS, [])
    for prefix in ("runs/first", "runs/second", "codes/songs-1"):
        collection = create(store.objects, prefix)
        complete(collection)
        if prefix == "runs/first":
            collection.append_units(PLANNED[:2])
            complete(collection)
    set_tag(store.objects, "old", "first")
    set_tag(store.objects, "new", "second")
    for run_id in ("first", "second"):
        table = pa.table({"run_id": [run_id], "score": [0.5]})
        write_results(store, "probes", {"run": run_id}, table)
    return folder


def copy(folder: Path, target: Path) -> Path:
    """Files of a store are never changed in place, so they may be shared."""
    return Path(shutil.copytree(folder, target, copy_function=os.link))


def killed_at_every_step(folder: Path, step: Callable[[ObjectStore], None]) -> list[ObjectStore]:
    """The store as each possible end of the process leaves it: as it is before each change."""
    left: list[Path] = []

    def keep() -> None:
        left.append(copy(folder, folder.with_name(f"killed-{len(left)}")))

    step(cast("ObjectStore", Watched(open_objects(folder), keep)))
    assert len(left) > 5
    return [open_objects(path) for path in left]


def files(objects: ObjectStore) -> dict[str, int]:
    return dict(objects.list(""))


def removal_of_first(objects: ObjectStore) -> None:
    remove_run(objects, "first")


def test_a_removal_killed_at_any_step_is_finished_by_the_same_command(filled: Path) -> None:
    left = killed_at_every_step(filled, removal_of_first)
    expected = files(open_objects(filled))
    assert damage(inspect(open_objects(filled))) == []
    assert not any("first" in key for key in expected)
    for objects in left:
        problems = {entry.problem for entry in damage(inspect(objects))}
        assert problems <= {"record", "unrecorded"}  # a record that lacks; nothing is missing or wrong
        if "first" in Store(objects).runs():
            assert Store(objects).run("first").missing_units() == []
        remove_run(objects, removable_run(objects, "first"))
        assert files(objects) == expected
        assert leftover_runs(objects) == []


def test_a_run_whose_removal_was_killed_can_be_made_again_instead(filled: Path) -> None:
    for objects in killed_at_every_step(filled, removal_of_first):
        again = create(objects, "runs/first")
        complete(again)
        values, ids = again.read_layer("resid.mean", 1)
        assert (ids, values[:, 0].tolist()) == ([clip.clip_id for clip in PLANNED], [*map(float, range(10))])
        assert {entry.problem for entry in damage(inspect(objects))} <= {"unrecorded"}  # a tag without record


def test_results_about_a_removed_run_stay_and_verify_notes_whose_they_are(filled: Path) -> None:
    store = open_store(filled)
    assert results_about(store.objects, "first") == {"probes": 1}
    remove_run(store.objects, "first")
    assert results_about(store.objects, "first") == {"probes": 1}
    [note] = inspect(store.objects)
    assert (note.problem, note.detail) == ("note", "rows about first, which is not in this store")
    assert read_tags(store.objects) == {"new": "second"}


def test_a_run_that_a_command_is_at_work_on_stays(filled: Path) -> None:
    store = open_store(filled)
    before = files(store.objects)
    store.run("first").beat("driver")
    with pytest.raises(Conflict, match="at work on runs/first"):
        remove_run(store.objects, "first")
    with pytest.raises(Conflict, match="at work on runs/first"):
        remove_dataset(store.objects, "songs", used_too=True)
    store.run("first").rest("driver")
    assert files(store.objects) == before


def test_a_command_that_begins_while_a_run_is_removed_gets_its_run_back(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = open_store(filled).objects
    look = refuse_if_at_work
    seen: list[str] = []

    def look_twice(objects: ObjectStore, prefix: str) -> None:
        if seen:
            Store(objects).objects.put(f"{prefix}/heartbeat/late", b'{"at": 1e12}')
        seen.append(prefix)
        look(objects, prefix)

    monkeypatch.setattr(removal, "refuse_if_at_work", look_twice)
    with pytest.raises(Conflict):
        remove_run(objects, "first")
    assert Store(objects).run("first").missing_units() == []


def test_a_dataset_goes_with_its_codes_once_no_run_needs_it(filled: Path) -> None:
    store = open_store(filled)
    with pytest.raises(Conflict, match="first, second came from it"):
        remove_dataset(store.objects, "songs")
    for run_id in ("first", "second"):
        remove_run(store.objects, run_id)

    def remove(objects: ObjectStore) -> None:
        remove_dataset(objects, "songs")

    for objects in killed_at_every_step(filled, remove):
        if {"songs"} & {*dataset_names(objects), *leftover_datasets(objects)}:
            remove(objects)
        assert not any(key.startswith(("datasets", "codes", "records/datasets")) for key in files(objects))
        assert damage(inspect(objects)) == []


def test_a_dataset_removed_from_under_its_runs_is_said_by_verify(filled: Path) -> None:
    objects = open_store(filled).objects
    remove_dataset(objects, "songs", used_too=True)
    assert Store(objects).all_codes() == ["songs-1"]
    assert {entry.problem for entry in inspect(objects)} == {"reference"}


def test_files_without_a_record_that_are_young_stay(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "RECENT_SECONDS", 60.0)
    objects = open_store(filled).objects
    objects.put("datasets/other/audio/0.flac", b"fLaC")
    with pytest.raises(Conflict, match="may be writing it"):
        remove_dataset(objects, "other")
    assert objects.exists("datasets/other/audio/0.flac")


def test_latest_names_no_run_to_remove_and_unknown_names_list_what_there_is(filled: Path) -> None:
    objects = open_store(filled).objects
    with pytest.raises(InvalidInput, match="say the id"):
        removable_run(objects, "latest")
    with pytest.raises(NotFound, match=r"it has: first, second"):
        removable_run(objects, "third")
    with pytest.raises(NotFound, match="it has: songs"):
        remove_dataset(objects, "sons")
    assert removable_run(objects, "old") == "first"


def test_in_a_bucket_a_run_is_removed_and_what_is_young_is_seen(s3_url: str) -> None:
    store = open_store(s3_url, create=True)
    add_dataset(store.objects, "songs", INFO, CLIPS, [])
    for run_id in ("first", "second"):
        complete(create(store.objects, f"runs/{run_id}"))
    store.objects.put("runs/third/commits/unit-000000.json", b"{}")
    ages = [abs(time.time() - at) for _, at in store.objects.written("runs")]
    assert ages
    assert max(ages) < 60
    remove_run(store.objects, "first")
    remove_run(store.objects, "third")
    assert store.runs() == ["second"]
    left = [key.split("/") for place in ("runs", "records/runs") for key, _ in store.objects.list(place)]
    assert {parts[parts.index("runs") + 1].removesuffix(".json") for parts in left} == {"second"}
    assert inspect(store.objects) == []
