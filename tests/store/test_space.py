"""What takes space, and what `gc` may take away: litter and caches, nothing young, nothing in use."""

import json
import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from store.arrays.collection import Collection, create_collection
from store.objects.ledger import commit, is_recorded, never
from store.objects.protocol import ObjectStore
from store.opening import open_store
from store.records import ArraySpec, ClipStatus, PlannedClip
from store.results.parts import write_results
from store.upkeep.garbage import Garbage, Wanted, collect, find_garbage
from store.upkeep.inspection import damage, inspect
from store.upkeep.usage import catalog_share, shares

ARRAYS = [ArraySpec(f"{site}.mean", ("layer", "feature"), (2, 3), "float32") for site in ("resid", "attn")]
CLIPS = [PlannedClip(f"clip{n}", f"{n}.wav", 0.0, 4.0) for n in range(3)]
OLD = 30 * 86_400.0


def filled(objects: ObjectStore, prefix: str) -> Collection:
    import numpy as np

    collection = create_collection(objects, prefix, document={}, arrays=ARRAYS, clips=CLIPS)
    for unit in collection.missing_units():
        with collection.begin(unit, provenance={}) as pending:
            for array in ARRAYS:
                pending.add(array.name, 0, np.ones((3, 2, 3), np.float32))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    collection.note_complete()
    return collection


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    """A run, features, moments with factors, and a result."""
    store = open_store(tmp_path / "full.store", create=True)
    filled(store.objects, "runs/songs")
    filled(store.objects, "features/songs-1")
    for name, size in (("a/resid.mean.0.npy", 300), ("a/resid.mean.0.factors-1f.npy", 200), ("b/x.npy", 100)):
        commit(store.objects, f"moments/{name}", bytes(size), kind="cache", sound=never)
    write_results(store, "probes", {"of": 1}, pa.table({"score": [0.5]}))
    return store.objects


def age(objects: ObjectStore, prefix: str, seconds: float) -> None:
    """As if everything below a folder had been written so long ago."""
    for key, at in list(objects.written(prefix)):
        os.utime(Path(objects.url, key), (at - seconds, at - seconds))


def kinds(found: list[Garbage]) -> dict[str, list[str]]:
    by_kind: dict[str, list[str]] = {}
    for garbage in found:
        by_kind.setdefault(garbage.kind, []).append(garbage.key)
    return by_kind


def test_every_byte_of_a_store_is_told_by_what_it_is(objects: ObjectStore) -> None:
    found = {(share.kind, share.name, share.part): share.nbytes for share in shares(objects)}
    everything = [path for path in Path(objects.url).rglob("*") if path.is_file()]
    assert sum(found.values()) == sum(path.stat().st_size for path in everything)
    for site in ("resid", "attn"):
        folder = Path(objects.url, f"runs/songs/activations.zarr/{site}.mean")
        assert found["activations", "songs", site] == sum(file.stat().st_size for file in folder.iterdir())
    assert (found["moments", "", ""], found["factors", "", ""]) == (400, 200)
    assert {("features", "songs-1", ""), ("results", "probes", ""), ("plans and markers", "songs", "")} <= {
        *found
    }
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_the_catalog_outside_the_store_is_told_too(objects: ObjectStore) -> None:
    from store.catalog.catalog import refresh_catalog

    assert catalog_share(objects).nbytes == 0
    path = refresh_catalog(open_store(objects.url))
    assert catalog_share(objects).nbytes == path.stat().st_size


def test_a_whole_store_holds_no_garbage_however_old_it_is(objects: ObjectStore) -> None:
    age(objects, "", OLD)
    assert find_garbage(objects, Wanted()) == []


def test_litter_goes_once_it_is_old_and_nothing_else(objects: ObjectStore) -> None:
    before = dict(objects.list(""))
    objects.put("runs/gone/activations.zarr/resid.mean/c.0.0.0", b"1")
    objects.put("datasets/never/audio/0.flac", b"12")
    objects.put("audio/unnamed.flac", b"123")
    objects.put("moments/c/unnamed.npy", b"1234")
    objects.put("state/kmeans/old.npz", b"12345")
    objects.put("runs/songs/heartbeat/dead", json.dumps({"at": time.time() - 3600}).encode())
    objects.put("runs/songs/heartbeat/alive", json.dumps({"at": time.time() - 30}).encode())
    temporary = Path(objects.url, ".temporary", "half")
    temporary.write_bytes(b"123456")
    assert kinds(find_garbage(objects, Wanted())) == {"heartbeats of the dead": ["runs/songs/heartbeat/dead"]}
    for folder in ("runs/gone", "datasets/never", "audio", "moments", "state"):
        age(objects, folder, OLD)
    os.utime(temporary, (0, 0))
    found = find_garbage(objects, Wanted())
    assert kinds(found) == {
        "half-written files": [""],
        "heartbeats of the dead": ["runs/songs/heartbeat/dead"],
        "left by killed commands": ["datasets/never", "runs/gone"],
        "sounds no result is about": ["audio/unnamed.flac"],
        "caches without a record": ["moments/c/unnamed.npy"],
        "k-means that nobody went on with": ["state/kmeans/old.npz"],
    }
    assert sorted(garbage.nbytes for garbage in found)[:5] == [1, 2, 3, 4, 5]
    assert collect(objects, found) == found
    objects.delete("runs/songs/heartbeat/alive")
    assert dict(objects.list("")) == before
    assert not temporary.exists()
    assert not Path(objects.url, "runs/gone").exists()


def test_what_is_young_or_has_a_document_or_has_come_to_be_used_stays(objects: ObjectStore) -> None:
    objects.put("runs/young/activations.zarr/resid.mean/c.0.0.0", b"1")
    objects.put("runs/lost/run.json", b"{}")
    age(objects, "runs/lost", OLD)
    assert find_garbage(objects, Wanted()) == []
    age(objects, "runs/young", OLD)
    found = find_garbage(objects, Wanted())
    filled(objects, "runs/young")
    assert collect(objects, found) == []
    beating = Garbage("heartbeats of the dead", "runs/young/heartbeat/driver", 1, 1)
    objects.put(beating.key, json.dumps({"at": time.time()}).encode())
    assert collect(objects, [beating]) == []
    assert objects.exists(beating.key)


def test_moments_and_factors_go_oldest_first_until_the_rest_is_within_the_budget(
    objects: ObjectStore,
) -> None:
    age(objects, "moments/a", 100.0)
    age(objects, "moments/a/resid.mean.0.npy", 50.0)
    os.utime(Path(objects.url, "moments/a/resid.mean.0.npy"), (1.0, 1.0))
    found = find_garbage(objects, Wanted(budget_bytes=300))
    assert kinds(found) == {"moments over the budget": ["moments/a/resid.mean.0.npy"]}
    assert find_garbage(objects, Wanted(budget_bytes=600)) == []
    collect(objects, find_garbage(objects, Wanted(budget_bytes=0)))
    assert list(objects.list("moments")) == []
    assert not is_recorded(objects, "moments/b/x.npy")
    assert damage(inspect(objects)) == []


def test_features_go_where_that_is_said_unless_a_command_is_at_work_on_them(objects: ObjectStore) -> None:
    wanted = Wanted(features=True)
    objects.put("features/songs-1/heartbeat/driver", json.dumps({"at": time.time()}).encode())
    assert find_garbage(objects, wanted) == []
    objects.delete("features/songs-1/heartbeat/driver")
    found = find_garbage(objects, wanted)
    assert kinds(found) == {"features": ["features/songs-1"]}
    collect(objects, found)
    assert list(objects.list("features")) == list(objects.list("records/features")) == []
    assert damage(inspect(objects)) == []
