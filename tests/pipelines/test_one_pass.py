"""All clips of a recording come from one pass over its packets, fetched once where it lies behind a URL."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.extract.cutting import fitting
from pipelines.audio import packets
from pipelines.audio.clips import ClipReader, decode_clip
from pipelines.audio.files import Root, open_root
from pipelines.audio.recordings import Recordings
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from store.arrays.plan import recording_ends, unit_starts
from store.errors import AudioError
from store.records import PlannedClip, Recording

RATE = 22_050
SECONDS = 12.0
Write = Callable[..., Any]
COMPRESSED = ["a.mp3", "a.ogg", "a.opus", "a.m4a", "a.wma"]


@dataclass(frozen=True)
class Stretch:
    uri: str
    start_seconds: float
    duration_seconds: float = 1.0


@pytest.fixture
def write(write_audio: Write, write_with_ffmpeg: Write) -> Write:
    """By the ending of its name, 12 s of two channels."""
    codecs = {".m4a": "aac", ".wma": "wmav2", ".opus": "libopus"}

    def any_format(path: Path) -> Path:
        if path.suffix in codecs:
            rate = 44_100 if path.suffix == ".wma" else 48_000
            write_with_ffmpeg(path, codecs[path.suffix], SECONDS, rate=rate, encoder={"b": "128000"})
        else:
            write_audio(path, SECONDS, rate=RATE, channels=2)
        return path

    return any_format


def side_by_side(uri: str) -> list[Stretch]:
    return [Stretch(uri, float(start)) for start in range(int(SECONDS) - 1)]


def overlapping(uri: str) -> list[Stretch]:
    return [Stretch(uri, 0.5 * step) for step in range(22)]


def by_two_threads(uri: str) -> list[Stretch]:
    """As two threads may ask: each pair in the wrong order."""
    ordered = side_by_side(uri)
    return [ordered[place ^ 1] for place in range(len(ordered) - 1)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of every frame that a decoder gave."""
    counted: list[float] = []
    frames_of = packets.PacketAudio._frames_of

    def counting(self: Any, packet: Any) -> Any:
        frames = frames_of(self, packet)
        counted.extend(frame.samples / frame.sample_rate for frame in frames)
        return frames

    monkeypatch.setattr(packets.PacketAudio, "_frames_of", counting)
    return counted


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("clips", [side_by_side, overlapping, by_two_threads])
def test_what_is_decoded_for_all_clips_is_the_recording_once(
    tmp_path: Path, write: Write, decoded: list[float], name: str, clips: Callable[[str], list[Stretch]]
) -> None:
    path = write(tmp_path / name)
    with path.open("rb") as file, closing(ClipReader(file)) as reader:
        for clip in clips(name):
            reader.read(clip, sample_rate=16_000)
    assert sum(decoded) <= 1.02 * SECONDS + 0.1


def test_a_reader_jumps_over_what_nobody_wants(
    tmp_path: Path, write_audio: Write, decoded: list[float]
) -> None:
    write_audio(tmp_path / "a.mp3", 80.0, rate=16_000)
    with (tmp_path / "a.mp3").open("rb") as file, closing(ClipReader(file)) as reader:
        for start in (0.0, 40.0, 78.0):
            reader.read(Stretch("a.mp3", start), sample_rate=RATE)
    assert sum(decoded) < 10.0


@pytest.mark.parametrize("order", [1, -1])
def test_damage_fails_the_clips_that_fail_by_themselves_and_no_other(
    tmp_path: Path, write_audio: Write, order: int
) -> None:
    path = tmp_path / "a.mp3"
    write_audio(path, SECONDS, rate=44_100, channels=2)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6_000] = bytes(6_000)
    path.write_bytes(content)

    def outcome(decode: Callable[[Stretch], Any], clip: Stretch) -> Any:
        try:
            return decode(clip)
        except AudioError as error:
            return str(error)

    clips = [*side_by_side("a.mp3"), Stretch("a.mp3", 11.9)][::order]
    alone = [
        outcome(lambda one: decode_clip(open_root(tmp_path), one, sample_rate=RATE), clip) for clip in clips
    ]
    with path.open("rb") as file, closing(ClipReader(file)) as reader:
        read = [outcome(lambda one: reader.read(one, sample_rate=RATE).resampled(), clip) for clip in clips]
    assert sum(isinstance(one, str) for one in alone) in (2, 3)
    for expected, found in zip(alone, read, strict=True):
        if isinstance(expected, str):
            assert found == expected
        else:
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_two_clips_are_held_and_not_the_recording(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "a.mp3")
    with path.open("rb") as file, closing(ClipReader(file)) as reader:
        for clip in overlapping("a.mp3"):
            reader.read(clip, sample_rate=RATE)
            audio: Any = reader._audio
            assert sum(placed.frame.samples for placed, _ in audio._kept) < 2.5 * RATE


FETCHED = ["a.mp3", "a.flac", "a.ogg", "a.wav", "short.wav"]


def test_every_byte_travels_once_when_added_and_once_for_all_clips(
    tmp_path: Path, write: Write, write_audio: Write, served: Callable[[Path], Any]
) -> None:
    for name in FETCHED[:-1]:
        write(tmp_path / name)
    write_audio(tmp_path / "short.wav", 1.0)
    with served(tmp_path) as traffic:
        root = Root(traffic.url)
        found = list(
            cut_recordings(
                root, (Recording(name, name) for name in FETCHED), ClipSpec("d", 1.0, 0.7), threads=2
            )
        )
        for name in FETCHED:
            assert traffic.nbytes[name] <= 1.1 * (tmp_path / name).stat().st_size
            assert traffic.requests[name] <= 3
        traffic.requests.clear()
        traffic.nbytes.clear()
        recordings = Recordings(root, sample_rate=16_000)
        for recording in found:
            assert isinstance(recording, list)
            for clip in recording:
                planned = PlannedClip(clip.clip_id, clip.uri, clip.start_seconds, 1.0, "", clip.sha256)
                assert clip.sha256 == sha256((tmp_path / clip.uri).read_bytes()).hexdigest()
                np.testing.assert_allclose(
                    recordings.decode(planned),
                    decode_clip(open_root(tmp_path), planned, sample_rate=16_000),
                    atol=1e-6,
                )
        for name in FETCHED:
            assert traffic.nbytes[name] <= 1.1 * (tmp_path / name).stat().st_size
            assert traffic.requests[name] <= 3


@pytest.mark.parametrize("most", [64, 512])
def test_workers_of_all_units_together_fetch_a_long_recording_once(
    tmp_path: Path, write_audio: Write, served: Callable[[Path], Any], most: int
) -> None:
    """54 clips a recording, as ten seconds of 540 are; every unit has a worker that knows no other."""
    names = [f"{number}.mp3" for number in range(30 if most > 64 else 3)]
    write_audio(tmp_path / names[0], 54.0, rate=16_000, channels=1)
    for name in names[1:]:
        (tmp_path / name).hardlink_to(tmp_path / names[0])
    planned = pa.chunked_array([[name for name in names for _ in range(54)]])
    size = fitting(recording_ends(planned), most)
    starts = [*unit_starts(planned, size).tolist(), len(planned)]
    assert size > most * 3 / 4
    with served(tmp_path) as traffic:
        for first, last in pairwise(starts):
            recordings = Recordings(Root(traffic.url), sample_rate=8_000)
            for name in planned[first:last].unique().to_pylist():
                recordings.decode(PlannedClip("c", name, 0.0, 1.0, "", ""))
        fetched = traffic.nbytes.total()
    assert fetched <= 1.1 * len(names) * (tmp_path / names[0]).stat().st_size
