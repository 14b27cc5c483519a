"""The catalog agrees with the store's files, whatever happens while it is made."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.arrays.collection import Collection
from store.catalog import catalog as catalog_module
from store.catalog import one_refresh
from store.catalog.catalog import refresh_catalog
from store.catalog.folder import is_lasting
from store.catalog.query import describe_views, notes_of, run_query
from store.catalog.tables import fill_catalog
from store.errors import CatalogWarning, CorruptData
from store.objects.ledger import commit, never, withdraw
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.objects.storage import open_objects
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, Failure, PlannedClip, Unit, clip_id
from store.tags import remove_tag, set_tag

LAYERS, WIDTH, UNIT_CLIPS = (0, 5, 11), 4, 4
DOCUMENT = {
    "dataset": {"name": "songs", "fingerprint": "d5"},
    "model": {"name": "pocket", "fingerprint": "f00d", "random_weights": True},
    "dtype": "float32",
}
ARRAYS = [
    ArraySpec("resid.mean", ("layer", "feature"), (3, WIDTH), "float32", {"layers": list(LAYERS)}),
    ArraySpec("attn.std", ("layer", "feature"), (3, WIDTH), "float32", {"layers": list(LAYERS)}),
]


def _clips(dataset: str, count: int, **labels: Sequence[Any]) -> list[Clip]:
    return [
        Clip(
            clip_id(dataset, f"{number // 2}.wav", 4.0 * (number % 2), 4.0),
            f"{number // 2}.wav",
            4.0 * (number % 2),
            4.0,
            f"artist {number // 4}",
            "test" if number % 2 else "train",
            f"{number:064x}",
            0.5,
            {name: values[number % len(values)] for name, values in labels.items()},
        )
        for number in range(count)
    ]


SONGS = _clips("songs", 10, genre=["rock", "jazz", None], tempo=[90, 120])


def _add(store: Store, name: str, clips: Sequence[Clip], *, replace: bool = False) -> None:
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    broken = Failure("broken.wav", "probe", "AudioError", f"{name}: it's empty", "broken.wav")
    store.add_dataset(name, info, clips, [broken], replace=replace)


def _plan(store: Store, run_id: str = "abcd1234") -> Collection:
    planned = [PlannedClip(c.clip_id, c.uri, c.start_seconds, c.duration_seconds) for c in SONGS]
    return store.create_run(run_id, document=DOCUMENT, arrays=ARRAYS, clips=planned, unit_clips=UNIT_CLIPS)


def _commit(run: Collection, unit: Unit, *, failed: Sequence[int] = (), silent: Sequence[int] = ()) -> None:
    block = np.ones((len(unit.clips), 3, WIDTH), np.float32)
    block[list(failed)] = np.nan
    with run.begin(unit, provenance={"device": "cpu", "dtype": "float32", "torch": "2.1"}) as pending:
        for array in ARRAYS:
            pending.add(array.name, 0, block)
        statuses = [
            _status(c.clip_id, c.uri, failed=i in failed, silent=i in silent)
            for i, c in enumerate(unit.clips)
        ]
        pending.commit(statuses, {"forward": 0.5})


def _status(clip: str, uri: str, *, failed: bool, silent: bool) -> ClipStatus:
    if failed:
        return ClipStatus(clip, "failed", Failure(clip, "decode", "AudioError", "truncated", uri))
    return ClipStatus(clip, "silent" if silent else "ok")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Ten clips in three units: the first has a failed and a silent clip, the last is not committed.

    Nothing may be written to it.
    """
    return _filled(open_store(tmp_path_factory.mktemp("shared") / "a store", create=True))


@pytest.fixture
def store(shared: Store, tmp_path: Path) -> Store:
    """A copy of it that a test may write to."""
    return open_store(shutil.copytree(shared.url, tmp_path / "a store"))


def _filled(store: Store) -> Store:
    _add(store, "songs", SONGS)
    run = _plan(store)
    first, second, _ = run.units()
    _commit(run, first, failed=[1], silent=[2])
    _commit(run, second)
    return store


def _ask(store: Store, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), sql).to_pylist()
    return rows


def _everything(catalog: Path) -> dict[str, list[str]]:
    """Each view's rows as sorted text: two catalogs of the same store must agree in it."""
    views = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
    rows: dict[str, list[str]] = {name: [] for (name,) in _tuples(catalog, views)}
    query = " UNION ALL ".join(
        f"SELECT '{name}', CAST(_each AS VARCHAR) FROM \"{name}\" _each" for name in rows
    )
    for name, row in _tuples(catalog, query):
        rows[name].append(row)
    return {name: sorted(found) for name, found in rows.items()}


def _tuples(catalog: Path, sql: str) -> list[tuple[Any, ...]]:
    return list(zip(*run_query(catalog, sql).to_pydict().values(), strict=True))


def test_clips_have_their_labels_as_columns(shared: Store) -> None:
    rows = _ask(shared, "SELECT * FROM clips")
    expected = [
        {
            "dataset": "songs", "clip_id": c.clip_id, "uri": c.uri, "start_seconds": c.start_seconds,
            "duration_seconds": 4.0, "group_id": c.group, "split": c.split, "sha256": c.sha256,
            "tail_seconds": 0.5, **c.labels,
        }
        for c in SONGS
    ]  # fmt: skip
    assert sorted(map(str, rows)) == sorted(map(str, expected))


def test_datasets_are_counted(shared: Store) -> None:
    (row,) = _ask(shared, "SELECT * EXCLUDE (fingerprint) FROM datasets")
    assert row == {
        "dataset": "songs", "format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "clips": 10,
        "recordings": 5, "groups": 3, "hours": pytest.approx(40 / 3600), "failures": 1, "version": 1,
    }  # fmt: skip


def test_labels_stand_in_long_form_without_nulls(shared: Store) -> None:
    rows = _ask(shared, "SELECT clip_id, name, value, number FROM labels")
    genres = [(c.clip_id, "genre", c.labels["genre"], None) for c in SONGS if c.labels["genre"]]
    tempos = [(c.clip_id, "tempo", str(c.labels["tempo"]), float(str(c.labels["tempo"]))) for c in SONGS]
    assert sorted(tuple(row.values()) for row in rows) == sorted([*genres, *tempos])


def test_a_label_that_is_text_in_one_dataset_and_a_number_in_another_is_text(store: Store) -> None:
    _ask(store, "FROM clips")
    _add(store, "loops", _clips("loops", 2, tempo=["fast", "slow"], mood=["calm"]))
    rows = _ask(store, "SELECT dataset, tempo, mood, genre FROM clips WHERE split = 'train' ORDER BY ALL")
    assert rows[0] == {"dataset": "loops", "tempo": "fast", "mood": "calm", "genre": None}
    assert {row["tempo"] for row in rows[1:]} == {"90"}
    numbers = _ask(store, "SELECT dataset, number FROM labels WHERE name = 'tempo' AND number > 100")
    assert {(row["dataset"], row["number"]) for row in numbers} == {("songs", 120.0)}


def test_long_numbers_of_one_dataset_keep_their_digits_beside_fractions_of_another(store: Store) -> None:
    ids = [1234567890123456789, 1234567890123456790]
    _add(store, "ids", _clips("ids", 2, artist=ids))
    _add(store, "loops", _clips("loops", 2, Artist=[0.5]))
    rows = _ask(store, "SELECT artist FROM clips WHERE dataset = 'ids' ORDER BY 1")
    assert [row["artist"] for row in rows] == [str(number) for number in ids]


def test_labels_that_differ_in_case_or_have_the_catalog_s_own_names_disable_nothing(store: Store) -> None:
    _add(store, "old", _clips("old", 2, Genre=["folk"]))
    _add(store, "odd", _clips("odd", 2, _part=["a", "b"], Dataset=["c"]))
    old = _ask(store, "SELECT genre FROM clips WHERE dataset = 'old'")
    assert [tuple(row.values()) for row in old] == [("folk",), ("folk",)]
    odd = _ask(store, "SELECT label__part, label_Dataset FROM clips WHERE dataset = 'odd' ORDER BY 1")
    assert [tuple(row.values()) for row in odd] == [("a", "c"), ("b", "c")]


def test_a_dataset_without_labels_or_clips_is_no_trouble(tmp_path: Path) -> None:
    store = open_store(tmp_path / "bare", create=True)
    assert _ask(store, "FROM labels") == []
    _add(store, "bare", _clips("bare", 2))
    assert _ask(store, "FROM labels") == []
    assert _ask(store, "SELECT count(*) AS clips FROM clips") == [{"clips": 2}]


def test_runs_tell_how_far_they_are(shared: Store) -> None:
    (row,) = _ask(shared, "SELECT * EXCLUDE (document, bytes) FROM runs")
    assert row == {
        "run_id": "abcd1234", "dataset": "songs", "model": "pocket", "model_fingerprint": "f00d",
        "random_weights": True, "sites": ["attn", "resid"], "reductions": ["mean", "std"],
        "layers": [0, 5, 11], "clips": 10, "committed": 8, "failed": 1, "complete": False,
        "units": 3, "committed_units": 2, "dtype": "float32", "dataset_fingerprint": "d5",
    }  # fmt: skip


def test_bytes_are_those_of_the_shards_on_disk(shared: Store) -> None:
    shards = [path for path in Path(shared.url).rglob("activations.zarr/*/c*") if path.is_file()]
    (row,) = _ask(shared, "SELECT bytes FROM runs")
    assert row["bytes"] == sum(path.stat().st_size for path in shards) > 0
    assert _ask(shared, "SELECT sum(bytes)::BIGINT AS bytes FROM units") == [row]


def test_units_show_what_was_planned_and_committed(shared: Store) -> None:
    rows = _ask(
        shared,
        "SELECT unit_id, first_row, clips, committed, failed, silent, device, "
        "seconds ->> '$.forward' AS forward "
        "FROM units ORDER BY first_row",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("unit-000000", 0, 4, True, 1, 1, "cpu", "0.5"),
        ("unit-000001", 4, 4, True, 0, 0, "cpu", "0.5"),
        ("unit-000002", 8, 2, False, 0, 0, None, None),
    ]


def test_arrays_show_axes_and_layers(shared: Store) -> None:
    (row,) = _ask(shared, "SELECT * EXCLUDE (run_id) FROM arrays WHERE site = 'attn'")
    assert row == {
        "name": "attn.std", "site": "attn", "reduction": "std", "dimensions": ["layer", "feature"],
        "shape": [3, 4], "dtype": "float32", "layers": [0, 5, 11],
    }  # fmt: skip


def test_failures_of_listing_and_of_runs_stand_together(shared: Store) -> None:
    rows = _ask(shared, "FROM failures ORDER BY stage")
    clip = SONGS[1]
    assert rows == [
        {
            "dataset": "songs", "run_id": "abcd1234", "item": clip.clip_id, "uri": clip.uri,
            "stage": "decode", "error": "AudioError", "message": "truncated", "unit_id": "unit-000000",
            "retried": False,
        },
        {
            "dataset": "songs", "run_id": None, "item": "broken.wav", "uri": "broken.wav", "stage": "probe",
            "error": "AudioError", "message": "songs: it's empty", "unit_id": None, "retried": False,
        },
    ]  # fmt: skip


def test_a_failure_is_told_whatever_stands_before_it_in_its_unit(store: Store) -> None:
    run = store.run("abcd")
    _commit(run, run.units()[2], failed=[1], silent=[0])
    (row,) = _ask(store, "FROM failures WHERE unit_id = 'unit-000002'")
    clip = SONGS[9]
    assert (row["item"], row["uri"], row["stage"]) == (clip.clip_id, clip.uri, "decode")
    assert (row["error"], row["message"]) == ("AudioError", "truncated")


def test_rows_say_what_the_run_itself_says(shared: Store) -> None:
    run = shared.run("abcd")
    rows = _ask(shared, "SELECT clip_id, row, unit_id, state FROM rows WHERE state <> 'pending'")
    assert sorted(rows, key=lambda row: row["row"]) == run.rows().to_pylist()
    pending = _ask(shared, "SELECT row FROM rows WHERE state = 'pending' ORDER BY row")
    assert [row["row"] for row in pending] == [8, 9]


def test_a_retried_clip_counts_with_its_newest_row(store: Store) -> None:
    run = store.run("abcd")
    _commit(run, run.units()[2])
    failed = run.units()[0].clips[1]
    (extra,) = run.append_units([failed])
    question = "SELECT clips, committed, failed, complete, units FROM runs"
    assert _ask(store, question) == [
        {"clips": 10, "committed": 10, "failed": 1, "complete": False, "units": 4}
    ]
    assert _ask(store, f"SELECT row, state FROM rows WHERE clip_id = '{failed.clip_id}'") == [
        {"row": 1, "state": "failed"}
    ]
    _commit(run, extra)
    assert _ask(store, question) == [
        {"clips": 10, "committed": 10, "failed": 0, "complete": True, "units": 4}
    ]
    assert _ask(store, f"SELECT row, state FROM rows WHERE clip_id = '{failed.clip_id}'") == [
        {"row": 12, "state": "ok"}
    ]
    assert _ask(store, "SELECT retried FROM failures WHERE run_id IS NOT NULL") == [{"retried": True}]
    assert _ask(store, "SELECT count(*) AS n, count(DISTINCT clip_id) AS ids FROM rows") == [
        {"n": 10, "ids": 10}
    ]


def test_tags_show_what_they_mean_also_after_they_have_moved(store: Store) -> None:
    (run_id,) = store.runs()
    set_tag(store.objects, "baseline", run_id)
    assert _ask(store, "SELECT tag, run_id FROM tags") == [{"tag": "baseline", "run_id": run_id}]
    set_tag(store.objects, "baseline", "another")
    assert _ask(store, "SELECT run_id FROM tags") == [{"run_id": "another"}]
    remove_tag(store.objects, "baseline")
    assert _ask(store, "FROM tags") == []


def test_every_view_and_column_is_documented(shared: Store) -> None:
    views = describe_views(refresh_catalog(shared))
    assert {view.name for view in views} == {
        "datasets", "clips", "dataset_changes", "labels", "runs", "tags", "arrays", "units", "rows",
        "failures", "layers", "number_ranges",
        "cosines", "superposition", "effects", "layer_choice", "clusterings",
        "signatures", "listening", "listeners", "transfers",
    }  # fmt: skip
    undocumented = [view.name for view in views if not view.comment]
    undocumented += [f"{v.name}.{column.name}" for v in views for column in v.columns if not column.comment]
    assert undocumented == []
    comments = {
        column.name: column.comment for view in views if view.name == "clips" for column in view.columns
    }
    assert comments["genre"] == "label of songs"


# ---------------------------------------------------------------------- staying in step


def _nothing(key: str) -> None:
    del key


class CountingObjects:
    """Objects of a store that remember what was read, and call back before each read."""

    def __init__(self, objects: ObjectStore, before: Callable[[str], object] = _nothing) -> None:
        self._objects = objects
        self._before = before
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def get(self, key: str) -> bytes:
        self._before(key)
        self.read.append(key)
        return self._objects.get(key)


def _watched(store: Store, before: Callable[[str], object] = _nothing) -> tuple[Store, CountingObjects]:
    objects = CountingObjects(store.objects, before)
    return Store(objects), objects


def test_an_unchanged_store_is_only_listed(shared: Store) -> None:
    path = refresh_catalog(shared)
    before = path.stat()
    watched, objects = _watched(shared)
    assert refresh_catalog(watched) == path
    assert objects.read == ["datasets/songs/dataset.json"]
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_only_new_parts_are_read(store: Store) -> None:
    refresh_catalog(store)
    run = store.run("abcd")
    _commit(run, run.units()[2], silent=[1])
    watched, objects = _watched(store)
    path = refresh_catalog(watched)
    assert [key for key in objects.read if not key.startswith("datasets/")] == [
        "runs/abcd1234/commits/unit-000002.json"
    ]
    assert run_query(path, "SELECT complete FROM runs").to_pylist() == [{"complete": True}]


def test_step_by_step_gives_the_same_as_all_at_once(store: Store) -> None:
    refresh_catalog(store)
    for name, tempo in (("floats", 99.5), ("texts", "fast")):
        _add(store, name, _clips(name, 3, tempo=[tempo]))
        refresh_catalog(store)
    run = store.run("abcd")
    _commit(run, run.append_units([run.units()[0].clips[1]])[0])
    refresh_catalog(store)
    _write_result(store, "probes", "one", {"layer": [3], "score": [0.5]})
    grown = _everything(refresh_catalog(store))
    assert grown == _everything(refresh_catalog(store, rebuild=True))
    assert len(grown["probes"]) == 1


def test_a_marker_that_repair_took_away_is_gone_from_the_catalog(store: Store) -> None:
    refresh_catalog(store)
    store.objects.delete("runs/abcd1234/commits/unit-000000.json")
    assert _ask(store, "SELECT committed, failed FROM runs") == [{"committed": 4, "failed": 0}]
    assert _ask(store, "FROM failures WHERE run_id IS NOT NULL") == []


def _exchange_marker(store: Store) -> None:
    """What repair and another commit do: the marker of the second unit with other content of equal length."""
    key = "runs/abcd1234/commits/unit-000001.json"
    marker = opened_json(store.objects.get(key), key)
    marker["provenance"]["torch"] = "2.2"
    other = sealed_json(marker)
    assert len(other) == store.objects.size(key)
    store.objects.delete(key)
    store.objects.create(key, [other])


def test_a_marker_written_anew_with_the_same_length_is_read_again(store: Store) -> None:
    refresh_catalog(store)
    _exchange_marker(store)
    builds = _ask(store, "SELECT torch FROM units WHERE committed ORDER BY unit_id")
    assert builds == [{"torch": "2.1"}, {"torch": "2.2"}]


def test_what_is_said_about_a_dataset_may_change_without_its_clips(store: Store) -> None:
    refresh_catalog(store)
    key = "datasets/songs/dataset.json"
    info = opened_json(store.objects.get(key), key) | {"format": "gtzan"}
    store.objects.put(key, sealed_json(info))
    watched, objects = _watched(store)
    rows = run_query(refresh_catalog(watched), "SELECT format, clips FROM datasets").to_pylist()
    assert rows == [{"format": "gtzan", "clips": 10}]
    assert {read for read in objects.read if not read.startswith("records/")} == {
        f"datasets/songs/{name}" for name in ("dataset.json", "clips.parquet", "failures.parquet")
    }


def test_a_replaced_dataset_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s", create=True)
    _add(store, "songs", SONGS)
    refresh_catalog(store)
    _add(store, "songs", _clips("songs", 2, mood=["calm"]), replace=True)
    assert _ask(store, "SELECT DISTINCT name FROM labels") == [{"name": "mood"}]
    assert "genre" not in run_query(refresh_catalog(store), "FROM clips").column_names
    assert _ask(store, "SELECT clips FROM datasets") == [{"clips": 2}]


def test_a_run_whose_plan_is_not_sealed_yet_is_not_shown(store: Store) -> None:
    _plan(store, "ef01")
    store.objects.delete("records/runs/ef01/run.json.json")
    with pytest.warns(CatalogWarning, match=r"runs/ef01 has no record .*undertone verify"):
        assert _ask(store, "SELECT run_id FROM runs") == [{"run_id": "abcd1234"}]
    with pytest.warns(CatalogWarning, match="runs/ef01"):
        assert _ask(store, "SELECT DISTINCT run_id FROM units") == [{"run_id": "abcd1234"}]


def test_a_marker_that_appears_while_the_catalog_is_made_is_shown_next_time(store: Store) -> None:
    run = store.run("abcd")
    third = run.units()[2]
    watched, objects = _watched(
        store,
        lambda key: (
            _commit(run, third) if key.endswith("run.json") and not run.markers().get(third.unit_id) else None
        ),
    )
    path = refresh_catalog(watched)
    assert "runs/abcd1234/run.json" in objects.read
    assert run_query(path, "SELECT committed FROM runs").to_pylist() == [{"committed": 8}]
    assert _ask(store, "SELECT committed FROM runs") == [{"committed": 10}]


def test_a_marker_that_vanishes_while_the_catalog_is_made_is_left_out(store: Store) -> None:
    key = "runs/abcd1234/commits/unit-000001.json"
    watched, _ = _watched(store, lambda read: store.objects.delete(key) if read == key else None)
    path = refresh_catalog(watched)
    assert run_query(path, "SELECT committed FROM runs").to_pylist() == [{"committed": 4}]
    before = path.stat().st_ino
    assert refresh_catalog(store).stat().st_ino == before


# ---------------------------------------------------------------------- damaged files

DAMAGED_VIEWS = {
    "datasets/songs/dataset.json": {"datasets", "layers"},
    "datasets/songs/clips.parquet": {"clips", "labels", "datasets", "layers"},
    "datasets/songs/failures.parquet": {"failures", "datasets", "layers"},
    "runs/abcd1234/run.json": {"runs", "arrays", "failures", "layers"},
    "runs/abcd1234/plan/part-0000.parquet": {"units", "rows", "runs", "failures"},
    "runs/abcd1234/commits/unit-000001.json": {"units", "rows", "runs", "failures"},
    "results/probes/a.parquet": {"probes", "layers", "layer_choice"},
    "results/vectors/a.parquet": {"vectors", "cosines", "superposition"},
}
VIEWS_OF_FEW_FILES = ["clips", "labels", "arrays", "units", "rows", "probes", "vectors", "cosines"]


def _damage(store: Store, key: str) -> None:
    data = store.objects.get(key)
    store.objects.put(key, data[: len(data) // 2])


def _with_results(store: Store) -> None:
    for kind in ("probes", "vectors"):
        _write_result(store, kind, "a", {"layer": [1], "score": [0.5]})


@pytest.mark.parametrize("key", DAMAGED_VIEWS)
def test_a_damaged_file_takes_away_the_views_that_need_it_and_no_others(store: Store, key: str) -> None:
    _with_results(store)
    _damage(store, key)
    catalog = refresh_catalog(store)
    counts = {view: f'(SELECT count(*) FROM "{view}")' for view in VIEWS_OF_FEW_FILES}
    for view in DAMAGED_VIEWS[key] & counts.keys():
        with pytest.raises(CorruptData, match=rf"needs {key}, which is damaged.*undertone verify"):
            run_query(catalog, f"SELECT {counts.pop(view)}")
    with pytest.warns(CatalogWarning, match=f"{key} cannot be read"):
        run_query(catalog, f"SELECT {', '.join(counts.values())}")


def test_damage_that_comes_later_takes_away_the_view_too(store: Store) -> None:
    _with_results(store)
    assert _ask(store, "SELECT layer FROM probes") == [{"layer": 1}]
    _damage(store, "results/probes/a.parquet")
    with pytest.raises(CorruptData, match=r"results/probes/a\.parquet, which is damaged"):
        _ask(store, "SELECT layer FROM probes")


@pytest.fixture(scope="module")
def without_clips(shared: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of a store whose list of clips is damaged."""
    store = open_store(shutil.copytree(shared.url, tmp_path_factory.mktemp("damaged") / "store"))
    _damage(store, "datasets/songs/clips.parquet")
    return refresh_catalog(store)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 FROM clips WHERE false",
        "WITH x AS (SELECT * FROM clips) SELECT 1 FROM x",
        "SELECT (SELECT count(*) FROM labels)",
        "SELECT 1 FROM catalog.clips",
        "SELECT 1 FROM catalog.main.CLIPS",
        "SELECT 1 FROM parts.clips",
        "SELECT 1 WHERE 'x' IN (SELECT value FROM labels)",
        "SELECT 1 UNION ALL SELECT count(*) FROM datasets",
        "SUMMARIZE clips",
        "SELECT run_id FROM runs LEFT JOIN (SELECT DISTINCT dataset FROM clips) USING (dataset)",
    ],
)
def test_a_query_cannot_reach_around_a_damaged_file(without_clips: Path, query: str) -> None:
    with pytest.raises(CorruptData, match=r"songs/clips\.parquet, which is damaged"):
        run_query(without_clips, query)


def test_a_mended_file_is_read_again_even_where_its_version_is_the_old_one(store: Store) -> None:
    expected = _everything(refresh_catalog(store))
    key = "datasets/songs/clips.parquet"  # its version is the fingerprint of the dataset
    whole = store.objects.get(key)
    _damage(store, key)
    catalog = refresh_catalog(store, rebuild=True)
    before = catalog.stat().st_ino
    assert refresh_catalog(store).stat().st_ino == before
    store.objects.put(key, whole)
    assert _everything(refresh_catalog(store)) == expected


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"x"', b"PAR1", b"null", b"\xff\xfe", b"[" * 100_000, bytes(100)]
)
def test_whatever_stands_in_a_file_is_told_as_damage_of_that_file(store: Store, content: bytes) -> None:
    _with_results(store)
    for key in DAMAGED_VIEWS:
        store.objects.put(key, content)
    catalog = refresh_catalog(store)
    with pytest.warns(CatalogWarning, match=rf"{min(DAMAGED_VIEWS)}, .* and {len(DAMAGED_VIEWS) - 3} more"):
        assert run_query(catalog, "SELECT 1 AS x").to_pylist() == [{"x": 1}]
    with pytest.raises(CorruptData, match=r"results/probes/a\.parquet"):
        run_query(catalog, "FROM probes")


def test_text_that_is_no_utf8_in_parquet_is_damage_of_that_file(store: Store) -> None:
    offsets, characters = pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, characters])
    _write_result(store, "probes", "a", {"concept": text})
    with pytest.raises(CorruptData, match=r"results/probes/a\.parquet.*UTF8|UTF-8"):
        _ask(store, "FROM probes")


@pytest.mark.parametrize(
    ("folders", "note"),
    [
        (["datasets"], r"datasets/songs/dataset\.json, .*cannot be read"),
        (["datasets", "records/datasets"], r"'songs' is gone, although run abcd1234 used it"),
    ],
)
def test_a_run_whose_dataset_is_gone_is_told_beside_other_answers(
    store: Store, folders: list[str], note: str
) -> None:
    for folder in folders:
        for key, _ in list(store.objects.list(folder)):
            store.objects.delete(key)
    with pytest.warns(CatalogWarning, match=note):
        assert _ask(store, "SELECT run_id FROM runs") == [{"run_id": "abcd1234"}]


def _complete(store: Store) -> Collection:
    """Commit what is left of the run, and name all its markers, long ago."""
    with pytest.MonkeyPatch.context() as past:
        past.setattr("store.arrays.writer.time.time", lambda: 1_790_000_000.0)
        run = store.run("abcd")
        _commit(run, run.units()[2])
    run.note_complete()
    return run


def _notes(store: Store) -> tuple[str, ...]:
    return notes_of(refresh_catalog(store))


def test_a_marker_that_a_complete_run_lost_is_told(store: Store) -> None:
    _complete(store)
    assert _notes(store) == ()
    store.objects.delete("runs/abcd1234/commits/unit-000001.json")
    (note,) = _notes(store)
    assert "abcd1234 was complete, but runs/abcd1234/commits/unit-000001.json is gone" in note
    assert "undertone verify" in note
    assert _ask_with_note(store, "SELECT committed, complete FROM runs", note) == [
        {"committed": 6, "complete": False}
    ]


def test_markers_are_not_called_gone_where_their_run_does_not_count(store: Store) -> None:
    _complete(store)
    store.objects.delete("records/runs/abcd1234/run.json.json")
    (note,) = _notes(store)
    assert "runs/abcd1234 has no record" in note


def test_a_run_that_is_complete_without_a_record_of_it_is_told(store: Store) -> None:
    run = _complete(store)
    (extra,) = run.append_units([run.units()[0].clips[1]])
    assert _notes(store) == ()  # another unit is planned: the driver has not done it yet
    _commit(run, extra)
    assert _notes(store) == ()  # the driver may be about to write the record
    run.note_complete()
    _age_commits(store)
    assert _notes(store) == ()
    names = [key for key, _ in store.objects.list("records/runs/abcd1234/complete")]
    for gone in (names[1:], names):
        for key in gone:
            store.objects.delete(key)
        (note,) = _notes(store)
        assert "abcd1234 is complete, but no record says so" in note


def _age_commits(store: Store) -> None:
    for key, _ in list(store.objects.list("runs/abcd1234/commits")):
        marker = opened_json(store.objects.get(key), key)
        store.objects.put(key, sealed_json(marker | {"committed_at": 1_790_000_000.0}))


def test_what_lost_its_record_is_told_in_one_sentence(store: Store) -> None:
    _with_results(store)
    for key, _ in list(store.objects.list("records")):
        store.objects.delete(key)
    (note,) = _notes(store)
    assert note.startswith(
        "datasets/songs, runs/abcd1234, results/probes/a.parquet and 1 more have no record"
    )
    assert _ask_with_note(store, "SELECT * FROM runs", note) == []


def _ask_with_note(store: Store, sql: str, note: str) -> list[dict[str, Any]]:
    with pytest.warns(CatalogWarning, match=re.escape(note)):
        return _ask(store, sql)


def test_telling_what_is_lost_reads_no_file_of_an_unchanged_store(store: Store) -> None:
    _complete(store)
    refresh_catalog(store)
    watched, objects = _watched(store)
    assert notes_of(refresh_catalog(watched)) == ()
    assert objects.read == ["datasets/songs/dataset.json"]


# ---------------------------------------------------------------------- the file itself


@pytest.mark.parametrize("content", [b"", b"not a database", None])
def test_a_damaged_catalog_is_made_anew(store: Store, content: bytes | None) -> None:
    path = refresh_catalog(store)
    expected = _everything(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert _everything(refresh_catalog(store)) == expected


def test_a_catalog_of_other_code_is_made_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = refresh_catalog(store)
    with duckdb.connect(path) as connection:
        connection.execute("DROP VIEW clips")
        connection.execute("UPDATE parts.state SET version = 'older' WHERE _part = 'version'")
    assert len(_ask(store, "FROM clips")) == 10


def test_a_copied_store_answers_the_same(store: Store, tmp_path: Path) -> None:
    expected = _everything(refresh_catalog(store))
    subprocess.run(["cp", "-r", store.url, tmp_path / "copy"], check=True)
    assert _everything(refresh_catalog(open_store(tmp_path / "copy"))) == expected


# ---------------------------------------------------------------------- many at once

REFRESH_SLOWLY = """
import sys, time
from store.opening import Store, open_store
from store.catalog import catalog as catalog_module
from store.catalog import one_refresh
from store.catalog.catalog import refresh_catalog
store = open_store(sys.argv[1])
class Slow:
    def __getattr__(self, name):
        return getattr(store.objects, name)
    def get(self, key):
        if key.endswith(".json") and "commits" in key:
            print("reading", flush=True)
            time.sleep(600)
        return store.objects.get(key)
refresh_catalog(Store(Slow()), rebuild=True)
"""


def test_a_refresh_killed_half_way_leaves_the_old_catalog(store: Store) -> None:
    path = refresh_catalog(store)
    expected = _everything(path)
    process = subprocess.Popen([sys.executable, "-c", REFRESH_SLOWLY, store.url], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"reading\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    litter = [left for left in path.parent.glob(f"{path.name}*") if left != path]
    assert litter
    assert _everything(path) == expected
    assert _everything(refresh_catalog(store, rebuild=True)) == expected
    for left in litter:
        os.utime(left, (0, 0))
    refresh_catalog(store, rebuild=True)
    assert list(path.parent.glob(f"{path.name}*")) == [path]


REFRESH_AND_ASK = """
import sys
from store.catalog import catalog as catalog_module
from store.catalog import one_refresh
from store.catalog.catalog import refresh_catalog
from store.opening import open_store
from store.catalog.query import run_query
store = open_store(sys.argv[1])
for _ in range(8):
    print(run_query(refresh_catalog(store), "SELECT committed FROM runs")["committed"][0])
"""


def test_processes_refresh_and_read_while_a_run_commits(tmp_path: Path) -> None:
    store = open_store(tmp_path / "busy", create=True)
    _add(store, "songs", SONGS)
    run = _plan(store)
    command = [sys.executable, "-c", REFRESH_AND_ASK, store.url]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for unit in run.units():
        time.sleep(0.5)
        _commit(run, unit)
    seen = [list(map(int, reader.communicate(timeout=60)[0].split())) for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0, 0]
    assert [len(counts) for counts in seen] == [8, 8, 8]
    assert {count for counts in seen for count in counts} <= {0, 4, 8, 10}
    assert _ask(store, "SELECT committed FROM runs") == [{"committed": 10}]


def test_threads_refresh_at_once(store: Store) -> None:
    problems: list[BaseException] = []

    def refresh(rebuild: bool) -> None:
        try:
            assert len(run_query(refresh_catalog(store, rebuild=rebuild), "FROM clips")) == 10
        except BaseException as error:  # noqa: BLE001 (shown below)
            problems.append(error)

    threads = [threading.Thread(target=refresh, args=(number % 2 == 0,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    path = refresh_catalog(store)
    assert list(path.parent.glob(f"{path.name}*")) == [path]


def test_one_refresh_serves_all_who_ask_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh_catalog(store)
    _add(store, "more", SONGS)
    filled: list[int] = []

    def fill_slowly(*arguments: Any, **options: Any) -> None:
        filled.append(1)
        time.sleep(0.3)
        fill_catalog(*arguments, **options)

    monkeypatch.setattr(catalog_module, "fill_catalog", fill_slowly)
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: refresh_catalog(open_store(store.url)), range(6)))
    assert filled == [1]
    assert len(run_query(paths[0], "SELECT DISTINCT dataset FROM clips")) == 2


def test_a_refresh_that_somebody_stopped_is_not_waited_for_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = refresh_catalog(store)
    monkeypatch.setattr(one_refresh, "PATIENCE_SECONDS", 0.1)
    _add(store, "more", SONGS)
    with one_refresh.one_at_a_time(path):
        assert len(_ask(store, "SELECT DISTINCT dataset FROM clips")) == 2


def test_a_reader_of_an_unchanged_store_does_not_wait_for_a_writer(store: Store) -> None:
    path = refresh_catalog(store)
    with one_refresh.one_at_a_time(path):
        started = time.monotonic()
        assert refresh_catalog(store) == path
    assert time.monotonic() - started < one_refresh.PATIENCE_SECONDS / 2


# ---------------------------------------------------------------------- where the file is


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "undertone" / "catalogs"


def test_the_catalog_of_an_object_store_is_cached_by_its_url(cache: Path, s3_url: str) -> None:
    paths = []
    for place, count in (("one", 2), ("two", 4)):
        store = open_store(f"{s3_url}/{place}", create=True)
        _add(store, "songs", SONGS[:count])
        paths.append(refresh_catalog(store))
        assert len(_ask(store, "FROM clips")) == count
        _add(store, "loops", _clips("loops", 1))
        assert len(_ask(store, "FROM clips")) == count + 1
        assert refresh_catalog(store) == paths[-1]
    assert paths[0] != paths[1]
    assert {path.parent for path in paths} == {cache}


def test_an_object_store_answers_like_a_folder(cache: Path, s3_url: str, store: Store) -> None:
    remote = _filled(open_store(s3_url, create=True))
    both = [_everything(refresh_catalog(one)) for one in (store, remote)]
    for views in both:
        del views["units"]  # they say when they were committed
    assert both[0] == both[1]
    assert len(list(cache.glob("*.duckdb"))) == 2
    _exchange_marker(remote)
    assert _ask(remote, "SELECT torch FROM units ORDER BY unit_id")[1] == {"torch": "2.2"}


def test_the_catalog_of_a_folder_is_cached_for_this_user_alone(store: Store, cache: Path) -> None:
    path = refresh_catalog(store)
    assert path.parent == cache
    assert cache.stat().st_mode & 0o777 == 0o700
    assert not [file for file in Path(store.url).rglob("*") if "duckdb" in file.name]


def test_a_catalog_that_travels_in_a_store_is_not_opened(store: Store, tmp_path: Path) -> None:
    path = refresh_catalog(store)
    pipe = tmp_path / "pipe"  # whoever opened it would wait for its other end
    os.mkfifo(pipe)
    with duckdb.connect(path) as forged:
        forged.execute("DROP TABLE parts.state")
        forged.execute(
            "CREATE VIEW parts.state AS "
            f"SELECT content AS _part, filename AS version FROM read_text('{pipe!s}')"
        )
    path.rename(Path(store.url) / "catalog.duckdb")
    assert len(_ask(store, "FROM clips")) == 10


@pytest.mark.parametrize(
    "forgery",
    [
        "SELECT content AS _part, filename AS version FROM read_text('{pipe}')",
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
            "SELECT n::VARCHAR AS _part, '' AS version FROM r WHERE n < 0"
        ),
    ],
)
def test_even_a_forged_file_in_the_cache_runs_none_of_its_views(
    store: Store, tmp_path: Path, forgery: str
) -> None:
    path = refresh_catalog(store)
    os.mkfifo(tmp_path / "pipe")
    with duckdb.connect(path) as forged:
        forged.execute("DROP TABLE parts.state")
        forged.execute(f"CREATE VIEW parts.state AS {forgery.format(pipe=tmp_path / 'pipe')}")
    assert len(_ask(store, "FROM clips")) == 10


def test_a_cache_that_cannot_be_written_is_replaced_by_a_private_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    path = refresh_catalog(store)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not is_lasting(path)
    assert len(run_query(path, "FROM clips")) == 10


def test_catalogs_that_nobody_needed_for_long_make_room(store: Store, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "0123456789abcdef.duckdb").write_bytes(b"of a store that is gone")
    os.utime(cache / "0123456789abcdef.duckdb", (0, 0))
    (cache / ".0123456789abcdef.lock").touch()
    os.utime(cache / ".0123456789abcdef.lock", (0, 0))
    path = refresh_catalog(store)
    assert sorted(cache.iterdir()) == [path.with_name(f".{path.stem}.lock"), path]


# ---------------------------------------------------------------------- results


def _write_result(store: Store, kind: str, part: str, columns: dict[str, Any], **comments: str) -> None:
    table = pa.table(columns)
    schema = pa.schema(
        field.with_metadata({"comment": comments[field.name]}) if field.name in comments else field
        for field in table.schema
    )
    buffer = io.BytesIO()
    pq.write_table(table.cast(schema), buffer)
    commit(store.objects, f"results/{kind}/{part}.parquet", buffer.getvalue(), kind="results", sound=never)


def test_results_of_any_kind_are_views_whose_columns_are_united(store: Store) -> None:
    _write_result(
        store, "probes", "a", {"layer": [1, 2], "score": [0.5, 0.75]}, score="accuracy on held-out groups"
    )
    assert _ask(store, "SELECT max(score) AS best FROM probes") == [{"best": 0.75}]
    _write_result(store, "probes", "b", {"layer": [3], "score": [1], "concept": ["tempo"]})
    assert _ask(store, "FROM probes ORDER BY layer") == [
        {"layer": 1, "score": 0.5, "concept": None},
        {"layer": 2, "score": 0.75, "concept": None},
        {"layer": 3, "score": 1.0, "concept": "tempo"},
    ]
    (view,) = [view for view in describe_views(refresh_catalog(store)) if view.name == "probes"]
    assert [column.comment for column in view.columns] == ["", "accuracy on held-out groups", ""]


def test_a_comment_that_comes_with_a_new_part_is_shown_although_no_column_is_new(store: Store) -> None:
    def comment() -> str:
        (view,) = [view for view in describe_views(refresh_catalog(store)) if view.name == "probes"]
        return view.columns[0].comment

    _write_result(store, "probes", "a", {"score": [0.5]}, score="accuracy")
    assert comment() == "accuracy"
    _write_result(store, "probes", "b", {"score": [0.5]}, score="R²")
    assert comment() == "R², accuracy"


def test_vectors_of_different_width_live_in_one_table(store: Store) -> None:
    for name, width in (("small", 2), ("large", 3)):
        vector = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(width, dtype=np.float32)), width)
        _write_result(store, "vectors", name, {"name": [name], "vector": vector})
    rows = _ask(store, "SELECT name, len(vector) AS width FROM vectors ORDER BY width")
    assert rows == [{"name": "small", "width": 2}, {"name": "large", "width": 3}]
    assert _ask(
        store,
        "SELECT array_inner_product(vector::FLOAT[3], [0, 0, 2]::FLOAT[3]) AS x FROM vectors "
        "WHERE len(vector) = 3",
    ) == [{"x": 4.0}]


def test_a_kind_of_result_does_not_hide_a_documented_view(store: Store) -> None:
    _write_result(store, "labels", "a", {"run_id": ["r"], "dataset": ["songs"]}, run_id="run it was made for")
    assert _ask(store, "FROM results_labels") == [{"run_id": "r", "dataset": "songs"}]
    assert len(_ask(store, "FROM labels")) == 17
    described = {view.name: view for view in describe_views(refresh_catalog(store))}
    assert described["results_labels"].columns[0].comment == "run it was made for"


def test_a_result_that_was_removed_is_gone(store: Store) -> None:
    _write_result(store, "probes", "a", {"layer": [1]})
    _write_result(store, "probes", "b", {"layer": [2], "extra": [1]})
    refresh_catalog(store)
    withdraw(store.objects, "results/probes/b.parquet", ["results/probes/b.parquet"])
    assert _ask(store, "FROM probes") == [{"layer": 1}]


def test_it_opens_by_path_or_url_alike(store: Store) -> None:
    assert open_objects(store.url).is_local
    paths = [store.url, Path(store.url).as_uri()]
    (Path(store.url).parent / "link").symlink_to(store.url)
    paths.append(f"{Path(store.url).parent}/link")
    assert {refresh_catalog(open_store(path)) for path in paths} == {refresh_catalog(store)}


def test_what_another_thread_remembers_does_not_take_away_what_this_one_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = refresh_catalog(store)

    class Forgetful(dict[Any, Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            """As if another thread cleared it just then."""

    monkeypatch.setattr("store.catalog.catalog._known", Forgetful())
    assert refresh_catalog(store) == path
