"""A folder of label folders, as people keep their own music."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.audio.files import open_root
from pipelines.datasets.folder import list_recordings
from store.records import Failure, Recording

Write = Callable[..., NDArray[np.float32]]


def test_the_topmost_folder_is_the_label(tmp_path: Path, write_audio: Write) -> None:
    names = ["jazz/a.wav", "jazz/live 2024/b é.MP3", "rock/c.flac", "loose.ogg"]
    for name in names:
        write_audio(tmp_path / name, 0.1)
    for ignored in ["cover.jpg", "jazz/notes.txt", ".cache/d.wav", "jazz/._a.wav", "mp3"]:
        (tmp_path / ignored).parent.mkdir(exist_ok=True)
        (tmp_path / ignored).write_bytes(b"x")
    assert list(list_recordings(open_root(tmp_path))) == [
        Recording(name, group=name, split=None, labels={"label": label})
        for name, label in zip(sorted(names), ["jazz", "jazz", None, "rock"], strict=True)
    ]


def test_a_text_named_as_audio_is_listed_so_that_it_can_fail(tmp_path: Path) -> None:
    (tmp_path / "essay.wav").write_text("not audio", encoding="utf-8")
    assert [recording.uri for recording in only_recordings(tmp_path)] == ["essay.wav"]


def test_a_name_that_is_no_unicode_is_a_failure(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system holds only names in Unicode")
    (failure,) = list_recordings(open_root(tmp_path))
    assert isinstance(failure, Failure)
    assert (failure.item, failure.stage) == ("caf\\xe9.wav", "list")


def only_recordings(folder: Path) -> list[Recording]:
    return [found for found in list_recordings(open_root(folder)) if isinstance(found, Recording)]
