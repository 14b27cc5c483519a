"""What a marker says of a shard depends on its numbers, so that no shard can stand for another."""

from pathlib import Path

import numpy as np
import pytest

from store.arrays.collection import Collection
from store.arrays.layout import array_layout
from store.arrays.shards import ShardBuffer, encode_compressed, shard_checksum
from store.arrays.verification import verify
from store.opening import Store, open_store
from store.records import ArraySpec, ClipStatus, PlannedClip
from store.results.parts import committed_digest

ARRAY = ArraySpec("resid.mean", ("layer", "feature"), (3, 8), "float32", {}, "none")


def filled(store: Store, run_id: str, numbers: np.ndarray) -> Collection:
    """A run of two units of two clips whose numbers are given, (4, 3, 8)."""
    clips = [PlannedClip(f"clip{i}", "a.wav", float(i), 1.0) for i in range(4)]
    run = store.create_run(run_id, document={}, arrays=[ARRAY], clips=clips, unit_clips=2)
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            rows = slice(unit.first_row, unit.first_row + 2)
            pending.add(ARRAY.name, 0, numbers[rows])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    return run


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "a.store", create=True)


@pytest.fixture
def numbers() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((4, 3, 8)).astype(np.float32)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_other_numbers_have_another_checksum(compression: str, numbers: np.ndarray) -> None:
    spec = ArraySpec("a", ("layer", "feature"), (3, 8), "float32", {}, compression)  # type: ignore[arg-type]
    layout = array_layout(spec, 4)
    sums = set()
    for change in (0.0, 1e-6, 1000.0):
        stored = np.ascontiguousarray(numbers.swapaxes(0, 1)) + np.float32(change)
        buffer = ShardBuffer(layout)
        buffer.stored[...] = stored
        data = buffer.encoded() if compression == "none" else encode_compressed(layout, stored)
        sums.add(shard_checksum(layout, data, verify=True))
    assert len(sums) == 3


def test_two_shards_that_changed_places_are_found(store: Store, numbers: np.ndarray) -> None:
    run = filled(store, "one", numbers)
    keys = [f"{run.prefix}/{shard.key}" for marker in run.markers().values() for shard in marker.shards]
    first, second = (store.objects.get(key) for key in keys)
    store.objects.put(keys[0], second)
    store.objects.put(keys[1], first)
    assert {entry.key for entry in verify(store.run("one"))} == set(keys)


def test_a_shard_of_another_run_is_found(store: Store, numbers: np.ndarray) -> None:
    run, other = filled(store, "one", numbers), filled(store, "two", numbers + 1)
    shard = next(iter(run.markers().values())).shards[0].key
    store.objects.put(f"{run.prefix}/{shard}", store.objects.get(f"{other.prefix}/{shard}"))
    assert [entry.key for entry in verify(store.run("one"))] == [f"{run.prefix}/{shard}"]


def test_results_know_of_other_numbers(store: Store, numbers: np.ndarray) -> None:
    assert committed_digest(filled(store, "one", numbers)) != committed_digest(
        filled(store, "two", numbers + 1)
    )
