"""`undertone dataset add` and `synth`, as a user types them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobs.cli.main import main
from jobs.dataset.roots import resolve_root
from pipelines.audio.clips import decode_clip
from store import open_store

Command = Callable[..., Any]


@pytest.fixture
def undertone(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line that should succeed; returns its JSON summary where --json is given."""

    def run(*arguments: str | Path) -> Any:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert exit_.value.code == 0, printed.err
        return json.loads(printed.out) if "--json" in arguments else printed.out

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line that should fail with an exit code; returns what it says."""

    def run(code: int, *arguments: str | Path) -> str:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        assert exit_.value.code == code
        return capsys.readouterr().err

    return run


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """Two labels in WAV, FLAC and MP3, one recording with a tail, and a text that poses as audio."""
    folder = tmp_path / "my müsic"
    for label, name, seconds in (
        ("jazz", "a.wav", 2.0),
        ("jazz", "b.flac", 3.25),
        ("rock", "c d.mp3", 2.0),
        ("rock", "short.wav", 0.5),
    ):
        (folder / label).mkdir(parents=True, exist_ok=True)
        noise = 0.1 * np.random.default_rng(len(name)).standard_normal(round(seconds * 16_000))
        soundfile.write(folder / label / name, noise, 16_000)
    (folder / "rock/essay.wav").write_text("no audio", encoding="utf-8")
    return folder


def test_adding_names_files_of_integers_in_floats_and_their_largest_value(
    tmp_path: Path, undertone: Command
) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    square = np.where(np.arange(32_000) % 100 < 50, 0.5, -0.5)
    for name, factor in (("right", 1.0), ("integers", 32_768.0), ("huge", 1e30), ("infinite", np.inf)):
        soundfile.write(folder / f"{name}.wav", square * factor, 16_000, subtype="FLOAT")
    summary = undertone("dataset", "add", tmp_path / "s", "songs", folder, "--clip-seconds", "2", "--json")
    assert summary["clips"] == 1
    named = summary["first_failures"]
    assert set(named) == {"integers.wav", "huge.wav", "infinite.wav"}
    assert "as large as 16384, where full scale is 1" in named["integers.wav"]
    assert "5e+29" in named["huge.wav"]
    assert "NaN or infinite" in named["infinite.wav"]


def test_a_folder_becomes_clips_labels_and_failures(tmp_path: Path, songs: Path, undertone: Command) -> None:
    summary = undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1", "--json")
    assert (summary["format"], summary["recordings"], summary["clips"]) == ("folder", 3, 7)
    assert summary["failures"] == {"probe: AudioError": 2}
    assert summary["labels"] == {"label": {"jazz": {"no split": 5}, "rock": {"no split": 2}}}
    dataset = open_store(tmp_path / "s").dataset("songs")
    clips = list(dataset.clips())
    assert [(clip.uri, clip.start_seconds, clip.tail_seconds) for clip in clips][:3] == [
        ("jazz/a.wav", 0.0, 0.0),
        ("jazz/a.wav", 1.0, 0.0),
        ("jazz/b.flac", 0.0, 0.25),
    ]
    assert {failure.uri for failure in dataset.failures} == {"rock/essay.wav", "rock/short.wav"}
    assert "shorter than one clip" in next(f.message for f in dataset.failures if "short" in f.uri)


def test_labels_and_splits_that_look_alike_are_shown_apart(
    tmp_path: Path, songs: Path, undertone: Command
) -> None:
    rows = "jazz/a.wav,rock,TRAIN\njazz/b.flac,rock ,Test\nrock/c d.mp3,pop,dev\n"
    (songs / "songs.csv").write_text("path,genre,split\n" + rows, encoding="utf-8")
    said = undertone("dataset", "add", tmp_path / "s", "songs", songs / "songs.csv", "--clip-seconds", "1")
    counts = dict(line.rsplit(maxsplit=3)[:2] for line in said.splitlines() if line.count("  ") > 2)
    assert {"rock", "'rock '", "pop"} <= set(counts)
    assert "Splits 'TRAIN' (1), 'Test' (1), 'dev' (1)" in said


def test_one_odd_file_a_loop_and_a_pipe_stop_nothing(tmp_path: Path, songs: Path, undertone: Command) -> None:
    odd = bytearray((songs / "jazz/a.wav").read_bytes())
    odd[20:22] = (99).to_bytes(2, "little")
    (songs / "jazz/odd.wav").write_bytes(odd)
    (songs / "jazz/loop.wav").symlink_to("loop.wav")
    (songs / "up").symlink_to(songs)
    os.mkfifo(songs / "jazz/pipe.wav")
    undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1")
    dataset = open_store(tmp_path / "s").dataset("songs")
    assert len(list(dataset.clips())) == 7
    messages = {failure.uri: failure.message for failure in dataset.failures}
    assert "no decoder" in messages["jazz/odd.wav"]
    assert "leads back to itself" in messages["jazz/loop.wav"]
    assert "is no regular file" in messages["jazz/pipe.wav"]


def test_the_audio_is_found_again_and_decodes(tmp_path: Path, songs: Path, undertone: Command) -> None:
    undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1")
    store = open_store(tmp_path / "s")
    dataset = store.dataset("songs")
    root = resolve_root(store, dataset)
    assert all(len(decode_clip(root, clip, sample_rate=32_000)) == 32_000 for clip in dataset.clips())


def test_no_absolute_path_stands_in_the_store(tmp_path: Path, songs: Path, undertone: Command) -> None:
    (songs / "jazz/gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (songs / "rock/folder.wav").symlink_to(tmp_path)
    undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1")
    dataset = open_store(tmp_path / "s").dataset("songs")
    assert [failure.error for failure in dataset.failures] == ["NotFound", "AudioError", "AudioError"]
    for stored in (dataset.info, list(dataset.clips()), dataset.failures):
        assert str(tmp_path) not in repr(stored)


def test_adding_the_same_again_changes_nothing_and_something_else_is_refused(
    tmp_path: Path, songs: Path, undertone: Command, refused: Command
) -> None:
    first = undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1", "--json")
    before = (tmp_path / "s/datasets/songs/dataset.json").read_bytes()
    again = undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1", "--json")
    assert again == first
    assert (tmp_path / "s/datasets/songs/dataset.json").read_bytes() == before
    assert "already exists" in refused(
        1, "dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "2"
    )
    undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "2", "--replace")
    assert {clip.duration_seconds for clip in open_store(tmp_path / "s").dataset("songs").clips()} == {2.0}


def test_a_relative_path_from_another_directory_works(
    tmp_path: Path, songs: Path, undertone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(songs)
    undertone("dataset", "add", "../s", "songs", ".", "--clip-seconds", "1")
    assert len(list(open_store(tmp_path / "s").dataset("songs").clips())) == 7


def test_overlapping_clips_begin_a_hop_apart(tmp_path: Path, songs: Path, undertone: Command) -> None:
    options = ("--clip-seconds", "1", "--hop-seconds", "0.5")
    undertone("dataset", "add", tmp_path / "s", "songs", songs / "jazz", *options)
    starts = [
        c.start_seconds for c in open_store(tmp_path / "s").dataset("songs").clips() if c.uri == "a.wav"
    ]
    assert starts == [0.0, 0.5, 1.0]


def test_a_folder_without_audio_leaves_no_dataset(tmp_path: Path, refused: Command) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("x", encoding="utf-8")
    assert "There is no audio in" in refused(1, "dataset", "add", tmp_path / "s", "texts", tmp_path / "texts")
    assert open_store(tmp_path / "s").datasets() == []


def test_recordings_that_are_all_too_short_say_why(tmp_path: Path, songs: Path, refused: Command) -> None:
    said = refused(1, "dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "60")
    assert re.search(r"None of 5 recordings .* gives a clip.*a\.wav.*shorter than one clip of 60 s", said)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["songs", "{songs}", "--format", "musdb"], 2, "it is auto or one of fma, "),
        (["songs", "{songs}/nowhere"], 1, "does not exist"),
        (["songs", "{songs}", "--clip-seconds", "0"], 2, "0.0 is not in the range x>0"),
        (["songs", "{songs}", "--clip-seconds", "nan"], 2, "nan is not in the range x>0"),
        (["songs", "{songs}", "--hop-seconds", "inf"], 2, "inf is not in the range x>0"),
        (["a/b", "{songs}"], 1, "a/b"),
        (["songs"], 2, "Missing argument 'PATH'"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(
    tmp_path: Path, songs: Path, refused: Command, arguments: list[str], code: int, said: str
) -> None:
    filled = [argument.replace("{songs}", str(songs)) for argument in arguments]
    assert said in refused(code, "dataset", "add", tmp_path / "s", *filled)


def test_progress_off_a_terminal_is_json_lines(tmp_path: Path, songs: Path) -> None:
    command = [sys.executable, "-m", "jobs.cli", "dataset", "add", str(tmp_path / "s"), "songs", str(songs)]
    result = subprocess.run([*command, "--clip-seconds", "1"], capture_output=True, text=True, check=True)
    (line,) = result.stderr.splitlines()
    assert json.loads(line).items() >= {"event": "progress", "recordings": 5, "failed": 2}.items()


def test_copies_share_a_group_and_all_that_misleads_is_said(
    tmp_path: Path, songs: Path, undertone: Command
) -> None:
    shutil.copy(songs / "jazz/a.wav", songs / "jazz/a (copy).wav")
    shutil.copy(songs / "jazz/a.wav", songs / "rock/wrong label.wav")
    shutil.copy(songs / "jazz/b.flac", songs / "loose.flac")
    (songs / "cover.jpg").write_bytes(b"x")
    summary = undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1", "--json")
    said = "\n".join(summary["findings"])
    assert "1 file passed over, as its name does not say audio: 1 .jpg." in said
    assert "5 files are equal to others, as 'jazz/a (copy).wav', 'jazz/a.wav', 'rock/wrong label.wav'" in said
    assert "5 groups share such files" in said
    assert "Equal files differ in 'label' (2 times)" in said
    assert "1 of 6 files have no 'label': 'loose.flac'." in said
    assert "Group 'jazz/a (copy).wav' holds 6 of the 14 clips" in said
    groups = {clip.uri: clip.group for clip in open_store(tmp_path / "s").dataset("songs").clips()}
    assert groups["jazz/a.wav"] == groups["rock/wrong label.wav"] == groups["jazz/a (copy).wav"]
    assert groups["jazz/b.flac"] == groups["loose.flac"] != groups["jazz/a.wav"]
    text = undertone("dataset", "add", tmp_path / "s", "songs", songs, "--clip-seconds", "1")
    assert "Note: 5 files are equal to others" in text


def test_a_folder_of_one_label_is_said_to_tell_nothing_apart(
    tmp_path: Path, songs: Path, undertone: Command
) -> None:
    (songs / "above").mkdir()
    (songs / "jazz").rename(songs / "above/jazz")
    summary = undertone(
        "dataset", "add", tmp_path / "s", "a", songs / "above", "--clip-seconds", "1", "--json"
    )
    assert "differ in a label (label 'jazz')" in "\n".join(summary["findings"])


def _write_troubled(folder: Path, ending: str) -> Path:
    """A recording of six seconds: noise, silence, clipping, noise, one faint click at its end, noise."""
    noise = 0.1 * np.random.default_rng(1).standard_normal((6, 16_000))
    noise[1] = 3e-5 * np.sign(noise[1])
    noise[2] = np.clip(100 * noise[2], -1, 1)
    noise[4] = 0.0
    noise[4, -1] = 0.01
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / f"song.{ending}", noise.ravel(), 16_000)
    return folder


def test_silent_clips_of_uncompressed_files_are_named_when_they_are_added(
    tmp_path: Path, undertone: Command
) -> None:
    for ending in ("wav", "aiff", "flac", "mp3"):
        _write_troubled(tmp_path / "songs", ending)
    summary = undertone(
        "dataset", "add", tmp_path / "s", "songs", tmp_path / "songs", "--clip-seconds", "1", "--json"
    )
    said = [one for one in summary["findings"] if "silent" in one]
    assert said == ["2 of 24 clips are silent: 'song.aiff at 1 s', 'song.wav at 1 s'."]


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_listening_names_clips_that_are_silent_clipped_or_damaged(
    tmp_path: Path, undertone: Command, ending: str
) -> None:
    folder = _write_troubled(tmp_path / "songs", ending)
    if ending == "flac":
        sound = folder / "song.flac"
        data = bytearray(sound.read_bytes())
        place = int(0.62 * len(data))  # of the clip that begins at 3 s: silence takes no room
        data[place : place + 64] = bytes(64)
        sound.write_bytes(data)
    options = ("--clip-seconds", "1", "--listen", "--json")
    summary = undertone("dataset", "add", tmp_path / "s", "songs", folder, *options)
    said = "\n".join(summary["findings"])
    assert f"1 of 6 clips are silent: 'song.{ending} at 1 s'." in said
    assert f"1 of 6 clips are clipped (more than 1 in 1,000 samples at full scale): 'song.{ending}" in said
    assert said.count("at 2 s'") == 1
    assert ("1 of 6 clips cannot be decoded: 'song.flac at 3 s'. The first: 'song.flac': " in said) == (
        ending == "flac"
    )
    assert summary["clips"] == 6


def test_help_shows_examples(undertone: Command) -> None:
    for command in ("add", "synth"):
        assert re.search(r"Examples:\n +undertone dataset ", undertone("dataset", command, "--help"))


def test_rendered_music_lies_in_the_store_and_moves_with_it(tmp_path: Path, undertone: Command) -> None:
    options = ("--concepts", "notes,tempos", "--clips", "4", "--clip-seconds", "1", "--seed", "3", "--json")
    summary = undertone("dataset", "synth", tmp_path / "s", "theory", *options)
    assert summary["labels"]["concept"].keys() == {"notes", "tempos"}
    assert summary["clips"] == 4
    shutil.move(tmp_path / "s", tmp_path / "moved")
    store = open_store(tmp_path / "moved")
    dataset = store.dataset("theory")
    root = resolve_root(store, dataset)
    assert root.url == f"{tmp_path}/moved/datasets/theory/audio"
    for clip in dataset.clips():
        assert np.abs(decode_clip(root, clip, sample_rate=32_000)).max() > 0.01


def test_rendering_again_is_done_already_and_other_music_does_not_overwrite(
    tmp_path: Path, undertone: Command, refused: Command
) -> None:
    options = ("--concepts", "notes", "--clips", "2", "--clip-seconds", "1")
    first = undertone("dataset", "synth", tmp_path / "s", "theory", *options, "--json")
    audio = {path: path.read_bytes() for path in (tmp_path / "s/datasets/theory/audio").rglob("*.flac")}
    times = {path: path.stat().st_mtime_ns for path in audio}
    assert undertone("dataset", "synth", tmp_path / "s", "theory", *options, "--json") == first
    assert "already exists with seed 0, not 1." in refused(
        1, "dataset", "synth", tmp_path / "s", "theory", *options, "--seed", "1"
    )
    assert {path: path.stat().st_mtime_ns for path in audio} == times
    undertone("dataset", "synth", tmp_path / "s", "theory", *options, "--seed", "1", "--replace")
    assert {path: path.read_bytes() for path in audio} != audio


def test_an_unknown_concept_names_the_known_ones(tmp_path: Path, refused: Command) -> None:
    said = refused(1, "dataset", "synth", tmp_path / "s", "theory", "--concepts", "timbre")
    assert "'timbre'" in said
    assert "time_signatures" in said
