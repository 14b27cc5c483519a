"""A recording is hashed once however many threads want it, and one behind a URL travels once."""

import contextlib
import io
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import soundfile

from pipelines.audio import recordings as module
from pipelines.audio.recordings import Recordings
from store.errors import AudioError
from store.records import PlannedClip

RATE = 16_000


@dataclass
class CountedRoot:
    """Files in memory that say how often they were opened."""

    files: dict[str, bytes]
    is_local: bool
    opened: Counter[str] = field(default_factory=Counter)

    def open(self, uri: str, *, reading: str = "") -> BinaryIO:
        self.opened[uri] += 1
        return io.BytesIO(self.files[uri])


@pytest.fixture
def tones() -> dict[str, bytes]:
    found = {}
    for index in range(7):
        file = io.BytesIO()
        samples = 0.1 * np.sin(np.arange(4 * RATE) * (0.1 + 0.01 * index))
        soundfile.write(file, samples, RATE, format="FLAC", subtype="PCM_16")
        found[f"{index}.flac"] = file.getvalue()
    return found


def clips_of(files: dict[str, bytes]) -> list[PlannedClip]:
    return [
        PlannedClip(f"{uri}-{start}", uri, float(start), 1.0, sha256=sha256(content).hexdigest())
        for uri, content in files.items()
        for start in range(4)
    ]


@pytest.mark.parametrize("is_local", [True, False])
def test_clips_of_one_recording_by_many_threads_are_right(tones: dict[str, bytes], is_local: bool) -> None:
    root: Any = CountedRoot(tones, is_local)
    decoder = Recordings(root, sample_rate=RATE)
    clips = clips_of(tones)
    with ThreadPoolExecutor(8) as pool:
        decoded = list(pool.map(decoder.decode, clips))
    for clip, samples in zip(clips, decoded, strict=True):
        whole, _ = soundfile.read(io.BytesIO(tones[clip.uri]), dtype="float32")
        first = round(clip.start_seconds) * RATE
        np.testing.assert_array_equal(samples, whole[first : first + RATE])


def test_a_remote_recording_travels_once_for_its_hash_and_all_its_clips(tones: dict[str, bytes]) -> None:
    root: Any = CountedRoot(tones, is_local=False)
    decoder = Recordings(root, sample_rate=RATE)
    for clip in clips_of(tones):
        decoder.decode(clip)
    assert set(root.opened.values()) == {1}


def test_threads_that_want_a_recording_together_hash_it_once(
    tones: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    root: Any = CountedRoot(tones, is_local=True)
    decoder = Recordings(root, sample_rate=RATE)
    together, hashed = threading.Barrier(4), Counter[bytes]()

    def counted(file: BinaryIO, *_: Any) -> str:
        content = file.read()
        hashed[content] += 1
        return sha256(content).hexdigest()

    monkeypatch.setattr(module, "checksum", counted)
    clips = clips_of({"0.flac": tones["0.flac"]})

    def decode(clip: PlannedClip) -> None:
        together.wait()
        decoder.decode(clip)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decode, clips))
    assert list(hashed.values()) == [1]


def test_only_the_newest_copies_are_kept_and_none_has_a_name(
    tones: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(module, "OPEN", 3)

    def copies() -> int:
        return sum(link.startswith(str(tmp_path)) for link in map(link_of, Path("/proc/self/fd").iterdir()))

    def link_of(descriptor: Path) -> str:
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            return str(descriptor.readlink())
        return ""

    root: Any = CountedRoot(tones, is_local=False)
    decoder = Recordings(root, sample_rate=RATE)
    for clip in clips_of(tones):
        decoder.decode(clip)
        assert copies() <= 3
        assert not list(tmp_path.iterdir())
    assert copies() == 3
    del decoder
    assert copies() == 0


@pytest.mark.parametrize("is_local", [True, False])
def test_a_recording_that_is_not_the_one_added_is_refused(tones: dict[str, bytes], is_local: bool) -> None:
    clip = clips_of(tones)[0]
    changed: Any = CountedRoot({clip.uri: tones["1.flac"]}, is_local)
    with pytest.raises(AudioError, match="has changed since"):
        Recordings(changed, sample_rate=RATE).decode(clip)
