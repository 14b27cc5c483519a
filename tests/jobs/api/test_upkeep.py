"""Looking after a store from Python: what is there, its space, tags, and removal with a dry run before."""

import json
from pathlib import Path
from typing import Any

import pytest

import undertone as ut
from jobs.cli.main import main


def files_of(store: ut.Store) -> set[str]:
    """Every file of a store."""
    return {str(path) for path in Path(store.url).rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "method"),
    [("status", "status"), ("run list", "run_table"), ("dataset list", "dataset_table"), ("du", "sizes")],
)
def test_a_table_has_the_rows_of_the_command(
    music: ut.Store, command: str, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), music.url, "--format", "json"])
    printed = json.loads(capsys.readouterr().out)
    found = getattr(music, method)()
    rows = found.runs.rows() if isinstance(found, ut.Status) else found.rows()
    assert printed
    assert _lasting(rows) == _lasting(printed)


def _lasting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what differs by form (a time is a number in JSON), and caches that other tests fill."""
    return [
        {name: value for name, value in row.items() if name != "begun"}
        for row in rows
        if row.get("in") != "cache"
    ]


def test_a_store_without_anything_has_tables_with_columns(tmp_path: Path) -> None:
    empty = ut.open_store(tmp_path / "empty.store", create=True)
    assert (len(empty.run_table()), len(empty.dataset_table()), len(empty.tidy())) == (0, 0, 0)
    assert empty.tidy()["bytes"] == []
    assert (empty.status().notes, empty.status().damaged) == ((), False)
    assert "begun" in repr(empty.run_table())


def test_a_damaged_run_is_named_in_the_status_and_the_table_warns(music: ut.Store) -> None:
    document = Path(music.url) / "runs" / next(iter(music.runs)) / "run.json"
    document.unlink()
    document.write_text("{", encoding="utf-8")
    again = ut.open_store(music.url)
    found = again.status()
    assert found.damaged
    assert any("run.json" in note for note in found.notes)
    with pytest.warns(ut.UndertoneWarning, match="is damaged"):
        assert len(again.run_table()) == 0


def test_a_tag_names_a_run_until_it_is_taken_away(music: ut.Store) -> None:
    run = music.run("songs")
    assert not run.tag("baseline", dry_run=True).changed
    assert music.run_table()["tags"] == [[]]
    assert run.tag("baseline") == ut.Tagging("baseline", run.id, before=None, changed=True)
    assert music.run("baseline").id == run.id
    assert run.details().tags == ["baseline"]
    assert not music.remove_tag("baseline", dry_run=True).changed
    assert music.remove_tag("baseline") == ut.Tagging("baseline", None, before=run.id, changed=True)
    with pytest.raises(ut.NotFound, match="no tag 'baseline'"):
        music.remove_tag("baseline")


def test_a_dry_run_removes_nothing_and_what_it_said_goes_then(music: ut.Store) -> None:
    run, before = music.run("songs"), files_of(music)
    run.tag("baseline")
    tried = run.remove(dry_run=True)
    assert before < files_of(music)
    inside = [path for path in before if f"/runs/{run.id}/" in path]
    assert (tried.with_it, tried.left, tried.removed) == (("baseline",), (), False)
    assert tried.files >= len(inside) > 0
    assert run.remove().removed
    assert list(music.runs) == []
    assert not [path for path in files_of(music) if f"/runs/{run.id}/" in path]


def test_a_dataset_that_a_run_came_from_stays_unless_it_is_said(music: ut.Store) -> None:
    songs, run = music.dataset("songs"), music.run("songs").id
    for change in (songs.remove, lambda: songs.rename("tunes")):
        with pytest.raises(ut.Conflict, match="songs"):
            change()
    assert songs.details().runs == 1
    assert songs.remove(even_if_used=True, dry_run=True).left == (run,)
    assert list(music.datasets) == ["songs"]
    assert songs.remove(even_if_used=True).removed
    assert list(music.datasets) == []
    assert music.status().damaged


def test_a_renamed_dataset_goes_on_under_its_new_name(music: ut.Store, genres: Path) -> None:
    added = ut.add_dataset(music, "sogns", genres, clip_seconds=0.5)
    assert not added.rename("tunes", dry_run=True).renamed
    assert added.name == "sogns"
    assert added.rename("tunes") == ut.Renaming("tunes", "sogns", len(added), with_it=(), renamed=True)
    assert (added.name, sorted(music.datasets)) == ("tunes", ["songs", "tunes"])
    assert len(added.table()) == len(added)


def test_tidying_takes_what_is_old_and_a_budget_is_checked(music: ut.Store) -> None:
    litter = Path(music.url) / "runs" / "gone" / "file"
    litter.parent.mkdir()
    litter.write_bytes(b"12345")
    assert len(music.tidy()) == 0
    assert music.tidy(older_than_days=0, dry_run=True).rows() == music.tidy(older_than_days=0).rows() != []
    assert not litter.exists()
    for budget in ("a lot", -1):
        with pytest.raises(ut.InvalidInput, match=r"a lot|-1"):
            music.tidy(budget=budget)
