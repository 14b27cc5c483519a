"""Recordings become clips or failures, in order, whatever is wrong with a file."""

import errno
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pipelines.audio.clips import probe
from pipelines.audio.files import open_root
from pipelines.audio.header import AudioInfo
from pipelines.datasets import cutting
from pipelines.datasets.cutting import ClipSpec, cut, cut_recordings
from store.errors import AudioError, InvalidInput
from store.records import Clip, Failure, Recording, clip_id

Write = Callable[..., NDArray[np.float32]]
RECORDING = Recording("a.wav", group="artist", split="test", labels={"label": "jazz"})


@pytest.mark.parametrize(
    ("samples", "clip_seconds", "hop_seconds", "starts", "tail_seconds"),
    [
        (30_000, 10.0, 10.0, [0.0, 10.0, 20.0], 0.0),
        (30_130, 10.0, 10.0, [0.0, 10.0, 20.0], 0.13),
        (29_999, 10.0, 10.0, [0.0, 10.0], 9.999),
        (10_000, 10.0, 10.0, [0.0], 0.0),
        (12_500, 5.0, 2.5, [0.0, 2.5, 5.0, 7.5], 0.0),
        (12_499, 5.0, 2.5, [0.0, 2.5, 5.0], 2.499),
        (1_000, 0.1, 0.3, [0.0, 0.3, 0.6, 0.9], 0.0),
    ],
)
def test_a_recording_is_cut_into_its_whole_clips(
    samples: int, clip_seconds: float, hop_seconds: float, starts: list[float], tail_seconds: float
) -> None:
    clips = cut(RECORDING, AudioInfo(1_000, samples, 1), "f00d", ClipSpec("d", clip_seconds, hop_seconds))
    assert [clip.start_seconds for clip in clips] == starts
    assert {clip.tail_seconds for clip in clips} == {tail_seconds}
    assert [clip.clip_id for clip in clips] == [
        clip_id("d", "a.wav", start, clip_seconds) for start in starts
    ]
    assert len({clip.clip_id for clip in clips}) == len(clips)
    for clip in clips:
        assert (clip.uri, clip.group, clip.split, clip.labels) == (
            "a.wav",
            "artist",
            "test",
            {"label": "jazz"},
        )
        assert (clip.duration_seconds, clip.sha256) == (clip_seconds, "f00d")


def test_a_rate_that_does_not_divide_the_clip_may_miss_half_a_sample() -> None:
    info = AudioInfo(44_101, 14_700, 1)  # a third of a second is 14,700.33 samples
    assert len(cut(RECORDING, info, "", ClipSpec("d", 1 / 3, 1 / 3))) == 1


def test_a_recording_shorter_than_a_clip_says_so() -> None:
    with pytest.raises(AudioError, match=r"lasts 9\.990 s, shorter than one clip of 10 s"):
        cut(RECORDING, AudioInfo(1_000, 9_990, 1), "", ClipSpec("d", 10.0, 10.0))


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_must_be_positive_numbers(seconds: float) -> None:
    with pytest.raises(InvalidInput, match="clip_seconds"):
        ClipSpec("d", seconds, 1.0)
    with pytest.raises(InvalidInput, match="hop_seconds"):
        ClipSpec("d", 1.0, seconds)


def results_of(folder: Path, names: list[str], threads: int) -> list[list[Clip] | Failure]:
    recordings = [Recording(name, group=name) for name in names]
    return list(cut_recordings(open_root(folder), recordings, ClipSpec("d", 1.0, 1.0), threads=threads))


def test_every_bad_file_is_a_failure_in_its_place_and_stops_nothing(
    tmp_path: Path, write_audio: Write
) -> None:
    write_audio(tmp_path / "0 good.wav", 2.2)
    (tmp_path / "1 empty.mp3").write_bytes(b"")
    (tmp_path / "2 text.wav").write_text("no audio", encoding="utf-8")
    write_audio(tmp_path / "3 short.flac", 0.5)
    write_audio(tmp_path / "4 good é.mp3", 3.0)
    cut_off = (tmp_path / "4 good é.mp3").read_bytes()[:5_000]
    (tmp_path / "5 cut.mp3").write_bytes(cut_off)
    (tmp_path / "6 folder.wav").mkdir()
    write_audio(tmp_path / "8 silent.flac", 1.0)
    soundfile.write(tmp_path / "8 silent.flac", np.zeros(22_050), 22_050)
    names = [*sorted(path.name for path in tmp_path.iterdir()), "7 gone.wav"]
    names.sort()
    results = results_of(tmp_path, names, threads=3)
    assert [
        len(result) if isinstance(result, list) else (result.item[0], result.stage, result.error)
        for result in results
    ] == [
        2,
        ("1", "probe", "AudioError"),
        ("2", "probe", "AudioError"),
        ("3", "probe", "AudioError"),
        3,
        ("5", "probe", "AudioError"),
        ("6", "probe", "NotFound"),
        ("7", "probe", "NotFound"),
        1,
    ]
    assert all(
        result.message and result.uri == result.item for result in results if isinstance(result, Failure)
    )


def test_an_error_that_nobody_foresaw_is_the_failure_of_its_file_alone(
    tmp_path: Path, write_audio: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.wav", "b.wav"):
        write_audio(tmp_path / name, 1.0)

    def probe_or_fail(file: BinaryIO) -> AudioInfo:
        if file.name.endswith("a.wav"):
            raise AttributeError("no attribute 'name'")
        return probe(file)

    monkeypatch.setattr(cutting, "probe", probe_or_fail)
    failure, clips = results_of(tmp_path, ["a.wav", "b.wav"], threads=1)
    assert failure == Failure("a.wav", "probe", "AttributeError", "no attribute 'name'", "a.wav")
    assert isinstance(clips, list)


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOSPC, "No space"), OSError(errno.EMFILE, "Too many files")]
)
def test_what_is_no_fault_of_a_file_stops_the_listing(
    tmp_path: Path, write_audio: Write, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    write_audio(tmp_path / "a.wav", 1.0)

    def fail(_file: BinaryIO) -> AudioInfo:
        raise error

    monkeypatch.setattr(cutting, "probe", fail)
    with pytest.raises(type(error)):
        results_of(tmp_path, ["a.wav"], threads=1)


def test_results_do_not_depend_on_the_number_of_threads(tmp_path: Path, write_audio: Write) -> None:
    names = [f"{number:02d}.wav" for number in range(30)]
    for number, name in enumerate(names):
        write_audio(tmp_path / name, 1.0 + 0.1 * number, rate=8_000)
    assert results_of(tmp_path, names, threads=1) == results_of(tmp_path, names, threads=8)


def test_a_clip_carries_the_checksum_of_its_file(tmp_path: Path, write_audio: Write) -> None:
    write_audio(tmp_path / "a.wav", 1.0)
    (clips,) = results_of(tmp_path, ["a.wav"], threads=1)
    assert isinstance(clips, list)
    assert clips[0].sha256 == hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()


def test_failures_of_the_listing_are_passed_on(tmp_path: Path) -> None:
    failure = Failure("a", "list", "InvalidInput", "why", "a")
    assert list(cut_recordings(open_root(tmp_path), [failure], ClipSpec("d", 1.0, 1.0))) == [failure]


def test_only_a_few_recordings_are_taken_ahead_of_the_reader(tmp_path: Path, write_audio: Write) -> None:
    write_audio(tmp_path / "a.wav", 1.0, rate=8_000)
    taken = 0

    def endless() -> Iterator[Recording]:
        nonlocal taken
        while True:
            taken += 1
            yield Recording("a.wav", group="")

    results = cut_recordings(open_root(tmp_path), endless(), ClipSpec("d", 1.0, 1.0), threads=2)
    for _ in range(3):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken <= 3 + 4 * 2 + 1


STREAM_A_DATASET = r"""
import re, sys
from pathlib import Path
from pipelines.audio.clips import decode_clip
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import open_source

def peak_megabytes():
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

def decoded_megabytes(folder, clip_seconds):
    source, total = open_source(folder, "folder"), 0
    spec = ClipSpec("d", clip_seconds, clip_seconds)
    for clips in cut_recordings(source.root, source.list_recordings(), spec, threads=2):
        for clip in clips:
            total += decode_clip(source.root, clip, sample_rate=32_000).nbytes
    return total / 2**20

decoded_megabytes(sys.argv[1] + "/small", 0.5)
baseline = peak_megabytes()
print(decoded_megabytes(sys.argv[1] + "/large", 10.0), peak_megabytes() - baseline)
"""


def test_a_dataset_far_larger_than_the_allowed_memory_streams_through(tmp_path: Path) -> None:
    rate, seconds, allowed_megabytes = 44_100, 60, 16
    samples = (np.random.default_rng(0).standard_normal((rate * seconds, 2)) * 3_000).astype(np.int16)
    for folder, files, part in (("small", 2, samples[:rate]), ("large", 10, samples)):
        (tmp_path / folder).mkdir()
        for number in range(files):
            soundfile.write(tmp_path / folder / f"{number}.{('wav', 'flac')[number % 2]}", part, rate)
    on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*.*")) / 2**20
    result = subprocess.run(
        [sys.executable, "-c", STREAM_A_DATASET, str(tmp_path)], capture_output=True, text=True, check=True
    )
    decoded_megabytes, growth_megabytes = map(float, result.stdout.split())
    assert on_disk > 4 * allowed_megabytes
    assert decoded_megabytes == 10 * seconds * 32_000 * 4 / 2**20
    assert growth_megabytes < allowed_megabytes
