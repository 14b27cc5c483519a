"""Formats of datasets: the plug-in of the documentation, and those built in, by the same tests."""

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pipelines.datasets.formats import open_source
from pipelines.datasets.protocol import Format
from store import open_store
from store.errors import InvalidInput
from store.records import Recording
from undertone_testing.datasets import DatasetConformance

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]
NOTES = ("bass_electronic_018-022-100", "guitar_acoustic_010-060-075", "guitar_acoustic_010-061-075")


def write_tone(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(16_000) / (10 + sum(path.stem.encode()) % 97)), 16_000)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """NSynth's notes as the page's command names them, and one file that is none."""
    for name in (*NOTES, "talk"):
        write_tone(tmp_path / f"nsynth-test/audio/{name}.wav")
    return tmp_path


def test_the_plug_in_of_the_documentation_is_short_and_adds_a_dataset(
    install_page: Callable[[str], Any], notes: Path, undertone: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = install_page("own-dataset")
    assert page.code.count("\n") < 60
    monkeypatch.chdir(notes)
    (line,) = page.commands
    code, out, _ = undertone(*shlex.split(line)[1:], "--json")
    summary = json.loads(out)
    assert code == 0
    assert (summary["format"], summary["recordings"], summary["failures"]) == (
        "nsynth",
        3,
        {"list: InvalidInput": 1},
    )
    dataset = open_store("music.store").dataset("notes")
    assert {clip.group for clip in dataset.clips()} == {"bass_electronic_018", "guitar_acoustic_010"}
    assert {clip.labels["pitch"] for clip in dataset.clips()} == {22, 60, 61}
    assert (dataset.info["format"], dataset.info["plugin"]) == ("nsynth", "undertone-nsynth 1.0")


def test_help_and_errors_list_the_plug_in(install_page: Callable[[str], Any], undertone: Run) -> None:
    install_page("own-dataset")
    _, out, _ = undertone("dataset", "add", "--help")
    assert "folder|nsynth]" in out
    code, _, err = undertone("dataset", "add", "s", "songs", ".", "--format", "nsinth")
    assert code == 2
    assert "it is auto or one of" in err
    assert "nsynth" in err


def test_auto_asks_no_plug_in(install_page: Callable[[str], Any], notes: Path) -> None:
    install_page("own-dataset")
    assert open_source(notes / "nsynth-test").format.name == "folder"
    assert open_source(notes / "nsynth-test", "nsynth").format.clip_seconds == 4.0


def test_the_plug_in_passes_the_tests_that_its_page_shows(
    install_page: Callable[[str], Any], conform: Conform
) -> None:
    page = install_page("own-dataset")
    assert len(conform(page.conformance())) >= 6


class FolderConformance(DatasetConformance):
    name = "folder"

    def write(self, folder: Path) -> None:
        write_tone(folder / "jazz/a.wav")
        write_tone(folder / "rock/b.wav")


class TableConformance(DatasetConformance):
    name = "table"

    def write(self, folder: Path) -> None:
        write_tone(folder / "a.wav")
        (folder / "metadata.csv").write_text("path,genre\na.wav,jazz\n", encoding="utf-8")


class GtzanConformance(DatasetConformance):
    name = "gtzan"

    def write(self, folder: Path) -> None:
        write_tone(folder / "genres/blues/blues.00000.wav")


@pytest.mark.parametrize("kind", [FolderConformance, TableConformance, GtzanConformance])
def test_built_in_formats_pass_the_tests_for_plug_ins(kind: type, conform: Conform) -> None:
    assert len(conform(kind)) >= 6


BAD = {
    "again": [Recording("a.wav", "a"), Recording("a.wav", "a")],
    "absolute": [Recording("/a.wav", "a")],
    "ungrouped": [Recording("a.wav", "")],
    "nothing": [],
    "missing": [Recording("b.wav", "b")],
}


@pytest.mark.parametrize("fault", BAD)
def test_the_tests_for_plug_ins_see_a_format_that_breaks_a_rule(
    fault: str, conform: Conform, install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipelines.datasets.folder as built_in

    class BadConformance(FolderConformance):
        def write(self, folder: Path) -> None:
            write_tone(folder / "a.wav")

    def bad(*_anything: object, **_named: object) -> Iterator[Recording]:
        return iter(BAD[fault])

    monkeypatch.setattr(built_in, "FORMAT", Format("folder", bad))
    with pytest.raises(AssertionError):
        conform(BadConformance)


def test_an_unknown_format_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="auto or one of"):
        open_source(tmp_path / "nowhere", "nsynth")
