"""Rows of large parts lie in files of their own: a refresh copies none of them, and none is lost."""

import os
from pathlib import Path
from typing import Any

import pytest

from store.catalog import segments
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.opening import Store, open_store
from store.records import Clip
from tests.store.conftest import World

QUESTIONS = (
    "SELECT * FROM clips ORDER BY ALL",
    "SELECT * FROM rows ORDER BY ALL",
    "SELECT * FROM labels ORDER BY ALL",
    "SELECT * FROM runs",
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Parts of five rows are large; 21 clips are planned, and no unit is committed."""
    monkeypatch.setattr(segments, "LEAST_ROWS", 5)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    opened = open_store(tmp_path / "music.store", create=True)
    world = World()
    for name, years in (("songs", (1970, 1980)), ("texts", ("1970", "?"))):
        clips = [
            Clip(clip.clip_id, clip.uri, clip.start_seconds, 4.0, "g", None, "0" * 64, 0.0,
                 {"year": years[n % 2]})
            for n, clip in enumerate(world.clips)
        ]  # fmt: skip
        opened.add_dataset(name, {"clip_seconds": 4.0}, clips, [])
    world.create(opened.objects)
    return opened


def answers(catalog: Path) -> list[list[dict[str, Any]]]:
    return [run_query(catalog, sql).to_pylist() for sql in QUESTIONS]


def test_a_commit_leaves_every_segment_as_it_is_and_answers_are_those_of_one_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, run = refresh_catalog(store), store.run("world")
    before = {file: file.stat() for file in segments.files_of(path)}
    assert len(before) == 3, "of the clips of two datasets, and of the plan"
    for unit in run.units():
        World().write(run, unit)
        refresh_catalog(store)
    after = {file: file.stat() for file in segments.files_of(path)}
    assert {f: (s.st_ino, s.st_mtime_ns) for f, s in after.items()} == {
        f: (s.st_ino, s.st_mtime_ns) for f, s in before.items()
    }
    found = answers(path)
    assert all(found)
    monkeypatch.setattr(segments, "LEAST_ROWS", 1000)
    assert answers(refresh_catalog(store, rebuild=True)) == found
    assert {row["year"] for row in found[0]} == {"1970", "1980", "?"}, "text, as one dataset has it"


@pytest.mark.parametrize("harm", ["gone", "cut short"])
def test_a_segment_that_is_gone_or_cut_is_made_anew(store: Store, harm: str) -> None:
    found = answers(path := refresh_catalog(store))
    victim = segments.files_of(path)[0]
    victim.unlink() if harm == "gone" else victim.write_bytes(b"PAR1")
    assert answers(refresh_catalog(store)) == found


def test_segments_that_nothing_names_go_when_no_query_can_be_reading_them(store: Store) -> None:
    path = refresh_catalog(store)
    old = set(segments.files_of(path))
    for file in old:
        os.utime(file, (0, 0))
    refresh_catalog(store, rebuild=True)
    refresh_catalog(store, rebuild=True)
    assert old <= set(segments.files_of(path)), "they were named until just now"
    for file in old:
        os.utime(file, (0, 0))
    refresh_catalog(store, rebuild=True)
    assert old.isdisjoint(segments.files_of(path))


def test_segments_of_a_catalog_that_is_gone_go_too(store: Store) -> None:
    orphan = refresh_catalog(store).with_name(f"0123456789abcdef{segments.SUFFIX}")
    orphan.mkdir()
    os.utime(orphan, (0, 0))
    refresh_catalog(store, rebuild=True)
    assert not orphan.exists()
