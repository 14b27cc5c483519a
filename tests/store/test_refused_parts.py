"""What cannot be read of a store takes away from SQL only the tables that it feeds."""

import errno
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from store.catalog.catalog import refresh_catalog
from store.catalog.parts import DamagedPart, list_parts, read_parts
from store.catalog.query import run_query
from store.errors import CatalogWarning, CorruptData
from store.objects.local import LocalObjects
from store.opening import Store, open_store
from store.results.parts import write_results


@pytest.fixture
def store(tmp_path: Path, world: Any) -> Store:
    """A run and two kinds of results."""
    store = open_store(tmp_path / "store", create=True)
    world.write_all(world.create(store.objects))
    for kind in ("probes", "measured"):
        write_results(store, kind, {"x": 1}, pa.table({"score": [0.5]}))
    return store


def linked(store: Store, key: str, elsewhere: Path) -> None:
    """Move a file or folder elsewhere, and leave a link to it."""
    place = Path(store.url) / key
    place.rename(elsewhere)
    place.symlink_to(elsewhere)


def query(store: Store, sql: str) -> pa.Table:
    """The answer of SQL."""
    return run_query(refresh_catalog(store), sql)


def damaged(store: Store) -> set[str]:
    """The tables that lack rows."""
    objects = LocalObjects(Path(store.url))
    parts = read_parts(objects, list(list_parts(objects)))
    return {feed for _, part in parts if isinstance(part, DamagedPart) for feed in part.feeds}


@pytest.mark.parametrize(
    ("key", "tables"),
    [
        ("results/probes", {"results.probes"}),
        ("results", {"results.probes", "results.measured"}),
        ("records/results/probes", {"results.probes"}),
        ("records/results", {"results.probes", "results.measured"}),
        ("runs/world/commits", {"parts.commits", "parts.clip_states"}),
        ("runs/world/commits/unit-000001.json", {"parts.commits", "parts.clip_states"}),
        ("runs/world/plan", {"parts.planned_clips", "parts.planned_units"}),
        ("runs/world/run.json", {"parts.runs", "parts.arrays"}),
    ],
)
def test_a_link_takes_away_only_the_tables_of_what_lies_behind_it(
    store: Store, tmp_path: Path, key: str, tables: set[str]
) -> None:
    assert damaged(store) == set()
    linked(store, key, tmp_path / "elsewhere")
    assert damaged(store) == tables


@pytest.mark.parametrize("key", ["records/runs", "records/runs/world", "records"])
def test_a_link_among_the_records_is_never_taken_for_fewer_runs(
    store: Store, tmp_path: Path, key: str
) -> None:
    linked(store, key, tmp_path / "elsewhere")
    assert {"parts.runs", "parts.commits", "parts.planned_clips"} <= damaged(store)


def test_a_link_that_is_removed_is_no_damage_any_more(store: Store, tmp_path: Path) -> None:
    linked(store, "results/probes", tmp_path / "elsewhere")
    with pytest.warns(CatalogWarning, match="results/probes"):
        assert query(store, "SELECT count(*) AS n FROM runs")["n"].to_pylist() == [1]
    with pytest.raises(CorruptData, match="is a symbolic link"):
        query(store, "SELECT * FROM probes")
    (Path(store.url) / "results/probes").unlink()
    (tmp_path / "elsewhere").rename(Path(store.url) / "results/probes")
    assert query(open_store(store.url), "SELECT score FROM results.probes")["score"].to_pylist() == [0.5]


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_dying_disk_takes_away_only_the_tables_of_its_file(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    [part] = (key for key, _ in store.objects.list("results/probes"))
    opened = os.open

    def dying(path: Any, *arguments: Any, **named: Any) -> int:
        if str(path).endswith(part):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *arguments, **named)

    monkeypatch.setattr(os, "open", dying)
    assert damaged(store) == {"results.probes"}


def test_a_folder_that_cannot_be_listed_is_no_empty_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def dying(path: Any) -> Any:
        if str(path).endswith("/runs/world/commits") and "records" not in Path(path).parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", dying)
    objects = LocalObjects(Path(store.url))
    assert set(objects.survey("runs").refused) == {"runs/world/commits"}
    assert "runs/world/commits" in list_parts(objects)
