"""`undertone run` and `undertone dataset list|show|remove|rename`, as a user types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.cli.main import main
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest, SynthRequest
from jobs.dataset.rendering import synthesize_dataset
from jobs.dataset.roots import resolve_root
from store import open_store
from store.opening import Store
from store.records import ArraySpec, Clip, ClipStatus, Label, PlannedClip
from store.results.parts import write_results
from store.upkeep.inspection import inspect

Command = Callable[..., Any]


@pytest.fixture
def undertone(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line that should succeed; returns what it prints, read where it is JSON."""

    def run(*arguments: str) -> Any:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        printed = capsys.readouterr()
        assert exit_.value.code == 0, printed.err
        return json.loads(printed.out) if "json" in arguments else printed.out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line that should fail; returns what it says."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        printed = capsys.readouterr()
        assert (exit_.value.code, printed.out) == (1, "")
        assert "Traceback" not in printed.err
        return printed.err

    return run


@pytest.fixture
def about_toy(tmp_path: Path) -> Store:
    """A dataset, the run "toy" of it, and a result about that."""
    store = open_store(tmp_path / "music.store", create=True)
    labels: dict[str, Label] = {"style": "jazz", "mood": "calm", "tempo": 90.0}
    clips = [Clip(f"clip{n}", f"{n}.wav", 0.0, 4.0, "a", "train", f"{n:064x}", 0.0, labels) for n in range(5)]
    root = {"kind": "local"}
    store.add_dataset("songs", {"format": "folder", "clip_seconds": 4.0, "root": root}, clips, [])
    document = {
        "dataset": {"name": "songs"}, "model": {"name": "toy", "random_weights": True}, "text": "",
        "capture": {"sites": ["resid"], "layers": [0], "reductions": ["mean"]}, "dtype": "float32",
    }  # fmt: skip
    array = ArraySpec("resid.mean", ("layer", "feature"), (1, 2), "float32")
    planned = [PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips]
    run = store.create_run("toy", document=document, arrays=[array], clips=planned)
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, np.ones((len(unit.clips), 1, 2), np.float32))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()
    write_results(store, "findings", {"of": "toy"}, pa.table({"run_id": ["toy"], "found": [1.5]}))
    return store


def test_runs_are_listed_with_their_tags_and_shown_by_tag(about_toy: Store, undertone: Command) -> None:
    assert undertone("run", "tag", about_toy.url, "baseline", "--format", "json")["run"] == "toy"
    [row] = undertone("run", "list", about_toy.url, "--format", "json")
    assert (row["run"], row["tags"], row["clips"]) == ("toy", ["baseline"], 5)
    assert row["begun"] > 1e9
    shown = undertone("run", "show", about_toy.url, "baseline", "--format", "json")
    assert (shown["run"], shown["results"]) == ("toy", {"findings": 1})
    assert undertone("status", about_toy.url, "latest", "--format", "json")["run"] == "toy"
    for text in (undertone("run", "list", about_toy.url), undertone("run", "show", about_toy.url, "toy")):
        assert "baseline" in text
    assert undertone("run", "tag", about_toy.url, "baseline", "--remove", "--format", "json")["changed"]
    assert undertone("run", "list", about_toy.url, "--format", "json")[0]["tags"] == []


def test_removing_a_run_says_before_what_will_go_and_after_whose_results_are_left(
    about_toy: Store, undertone: Command, refused: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    undertone("run", "tag", about_toy.url, "baseline")
    before = dict(about_toy.objects.list(""))
    below = [size for key, size in before.items() if key.removeprefix("records/").startswith("runs/toy/")]
    told = undertone("run", "remove", about_toy.url, "baseline", "--dry-run", "--format", "json")
    assert dict(about_toy.objects.list("")) == before
    assert (told["files"], told["bytes"], told["removed"]) == (len(below), sum(below), False)
    assert told["results that stay"] == {"findings": 1}
    done = undertone("run", "remove", about_toy.url, "baseline", "--format", "json")
    assert done == told | {"removed": True}
    gone = before.keys() - dict(about_toy.objects.list("")).keys()
    assert len(gone) == len(below) + 2  # the tag and its record
    found = undertone("sql", about_toy.url, "SELECT found FROM findings", "--format", "json")
    assert found == [{"found": 1.5}]
    assert "rows about toy, which is not in this store" in undertone("verify", about_toy.url)
    with pytest.raises(SystemExit):
        main(["status", about_toy.url])
    assert "the run 'toy' is not in this store, but results about it are: findings" in capsys.readouterr().err
    assert "it has: none" in refused("run", "remove", about_toy.url, "toy")


def test_a_run_at_work_is_not_removed_nor_its_dataset(about_toy: Store, refused: Command) -> None:
    about_toy.run("toy").beat("driver")
    assert "at work on runs/toy" in refused("run", "remove", about_toy.url, "toy")
    assert "at work on runs/toy" in refused(
        "dataset", "remove", about_toy.url, "songs", "--even-if-used", "--dry-run"
    )


def test_a_dataset_with_runs_stays_unless_that_is_said(
    about_toy: Store, undertone: Command, refused: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    for also in ((), ("--dry-run",)):
        said = refused("dataset", "remove", about_toy.url, "songs", *also)
        assert "toy came from it" in said
        assert "--even-if-used" in said
    assert "give it a tag" in refused("dataset", "rename", about_toy.url, "songs", "tunes")
    [row] = undertone("dataset", "list", about_toy.url, "--format", "json")
    assert (row["dataset"], row["clips"], row["runs"]) == ("songs", 5, 1)
    assert "mood, style, tempo" in undertone("dataset", "show", about_toy.url, "songs")
    done = undertone("dataset", "remove", about_toy.url, "songs", "--even-if-used", "--format", "json")
    assert (done["runs that lose it"], done["removed"]) == (["toy"], True)
    with pytest.raises(SystemExit):
        main(["status", about_toy.url])
    assert "made from this dataset, which is gone" in capsys.readouterr().err


def test_a_renamed_dataset_is_the_one_that_would_have_been_added_under_the_new_name(
    store: str, audio: Path, tmp_path: Path, undertone: Command, refused: Command
) -> None:
    other = str(tmp_path / "other.store")
    add_dataset(AddRequest(other, "beeps", str(audio), clip_seconds=1.0))
    wanted = open_store(other).dataset("beeps")
    before = dict(open_store(store).objects.list(""))
    assert undertone("dataset", "rename", store, "tones", "beeps", "--dry-run", "--format", "json")[
        "clips"
    ] == len(list(wanted.clips()))
    assert dict(open_store(store).objects.list("")) == before
    undertone("dataset", "rename", store, "tones", "beeps")
    opened = open_store(store)
    assert opened.datasets() == ["beeps"]
    assert opened.dataset("beeps").fingerprint == wanted.fingerprint
    assert list(opened.dataset("beeps").clips()) == list(wanted.clips())
    assert resolve_root(opened, opened.dataset("beeps")).url == str(audio)
    assert inspect(opened.objects) == []
    assert "it has: beeps" in refused("dataset", "rename", store, "tones", "others")


def test_a_rename_takes_the_audio_in_the_store_along_and_no_name_of_another(
    tmp_path: Path, undertone: Command, refused: Command
) -> None:
    store = str(tmp_path / "rendered.store")
    for name, seed in (("sogns", 1), ("others", 2)):
        synthesize_dataset(SynthRequest(store, name, "notes", clips=2, clip_seconds=0.5, seed=seed))
    assert "choose another name" in refused("dataset", "rename", store, "sogns", "others")
    undertone("dataset", "rename", store, "sogns", "songs")
    opened = open_store(store)
    assert opened.datasets() == ["others", "songs"]
    root = resolve_root(opened, opened.dataset("songs"))
    assert root.url.endswith("datasets/songs/audio")
    for clip in opened.dataset("songs").clips():
        assert Path(root.url, clip.uri).is_file()
    assert not (tmp_path / "rendered.store/datasets/sogns").exists()
    assert inspect(opened.objects) == []


def test_an_unknown_run_is_answered_alike_by_every_command(about_toy: Store, refused: Command) -> None:
    for command in (("status",), ("verify",), ("run", "show"), ("run", "remove")):
        said = refused(*command, about_toy.url, "tony")
        assert said == f"Error: There is no run 'tony' in {about_toy.url}; it has: toy.\n"
