"""Clips equal the same range of the whole recording, and broken files are told from good ones.

The oracle decodes a whole recording in one go (libsndfile, or FFmpeg frame after frame) and resamples it
in one go; it shares no code with the functions under test.
"""

import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from pipelines.audio.clips import ClipReader, decode_clip, is_silent, probe
from pipelines.audio.files import open_root
from store.errors import AudioError, NotFound

Write = Callable[..., NDArray[np.float32]]
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Stretch:
    uri: str
    start_seconds: float
    duration_seconds: float


def whole_by_libsndfile(path: Path, rate: int) -> NDArray[np.float32]:
    samples, source_rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), source_rate, rate, quality="VHQ"))


def whole_by_ffmpeg(path: Path, rate: int, samples_written: int | None = None) -> NDArray[np.float32]:
    """Everything that decodes, or what was written of it: the rest of an M4A is the encoder's padding."""
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([frame.to_ndarray().T for frame in frames])[:samples_written]
    return np.asarray(soxr.resample(samples.mean(axis=1), frames[0].sample_rate, rate, quality="VHQ"))


def worst_difference(path: Path, whole: NDArray[np.float32], rate: int, seed: int = 0) -> float:
    """Over clips at the start, the very end and at random times that fall on no sample of the file.

    Each is read by itself, then all of them by one reader, in order (they overlap) and in disorder.
    """
    with path.open("rb") as file:
        seconds = probe(file).seconds
    length = 0.7
    random = np.random.default_rng(seed).uniform(0, seconds - length, 12)
    starts = [0.0, seconds - length, *random]
    clips = [Stretch(path.name, float(start), length) for start in starts]
    alone = [decode_clip(open_root(path.parent), clip, sample_rate=rate) for clip in clips]
    ordered = [clips[place] for place in np.argsort(starts)]
    with path.open("rb") as file, closing(ClipReader(file)) as reader:
        read = [reader.read(clip, sample_rate=rate).resampled() for clip in [*ordered, *clips]]
    worst = 0.0
    for asked, clip in zip([*clips, *ordered, *clips], [*alone, *read], strict=True):
        start = asked.start_seconds
        assert clip.dtype == np.float32
        assert clip.shape == (round(length * rate),)
        first = round(start * rate)
        expected = whole[first : first + len(clip)]
        worst = max(worst, float(np.max(np.abs(clip[: len(expected)] - expected))))
    return worst


@pytest.mark.parametrize("rate", [32_000, 16_000, 44_100])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.aiff", {}),
        ("a.flac", {}),
        ("a.au", {}),
    ],
)
def test_a_clip_of_a_pcm_file_equals_that_range_of_the_whole(
    tmp_path: Path, write_audio: Write, name: str, options: dict[str, str], rate: int
) -> None:
    path = tmp_path / name
    write_audio(path, 6.0, rate=44_100, channels=2, **options)
    assert worst_difference(path, whole_by_libsndfile(path, rate), rate) <= TOLERANCE


@pytest.mark.parametrize("source_rate", [8_000, 11_025, 22_050, 44_056, 48_000, 96_000])
def test_a_clip_equals_that_range_whatever_the_two_rates(
    tmp_path: Path, write_audio: Write, source_rate: int
) -> None:
    path = tmp_path / "a.wav"
    write_audio(path, 5.0, rate=source_rate)
    assert worst_difference(path, whole_by_libsndfile(path, 32_000), 32_000) <= TOLERANCE


MP3_AND_OTHERS = {
    "constant.mp3": ("libmp3lame", {"b": "128000"}, {}),
    "variable.mp3": ("libmp3lame", {"global_quality": "300", "flags": "+qscale"}, {}),
    "constant-without-index.mp3": ("libmp3lame", {"b": "128000"}, {"write_xing": "0"}),
    "variable-without-index.mp3": (
        "libmp3lame",
        {"global_quality": "300", "flags": "+qscale"},
        {"write_xing": "0", "id3v2_version": "0"},
    ),
    "a.m4a": ("aac", {"b": "128000"}, {}),
    "a.wma": ("wmav2", {"b": "128000"}, {}),
}


@pytest.mark.parametrize("name", MP3_AND_OTHERS)
def test_a_clip_of_a_compressed_file_equals_that_range_of_the_whole(
    tmp_path: Path, write_with_ffmpeg: Write, name: str
) -> None:
    codec, encoder, muxer = MP3_AND_OTHERS[name]
    path = tmp_path / name
    written = write_with_ffmpeg(path, codec, encoder=encoder, muxer=muxer)
    whole = whole_by_ffmpeg(path, 32_000, len(written) if name == "a.m4a" else None)
    assert worst_difference(path, whole, 32_000) <= TOLERANCE


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_clip_of_an_ogg_file_equals_that_range_also_near_its_end(
    tmp_path: Path, write_audio: Write, subtype: str
) -> None:
    path = tmp_path / "a.ogg"
    write_audio(path, 12.0, rate=48_000, channels=2, format="OGG", subtype=subtype)
    assert worst_difference(path, whole_by_ffmpeg(path, 32_000), 32_000) <= TOLERANCE


@pytest.mark.parametrize("seed", range(3))
def test_drums_in_vorbis_decode_as_libsndfile_decodes_them(tmp_path: Path, seed: int) -> None:
    """Transients change the block size, and FFmpeg stamps each frame where it does so too late."""
    random, rate = np.random.default_rng(seed), 44_100
    drums = 0.01 * random.standard_normal(12 * rate)
    for hit in random.integers(0, len(drums) - rate, 40):
        drums[hit : hit + rate] += 0.3 * random.standard_normal(rate) * np.exp(-np.arange(rate) / 1000)
    path = tmp_path / "drums.ogg"
    soundfile.write(path, drums, rate, format="OGG", subtype="VORBIS")
    assert worst_difference(path, whole_by_libsndfile(path, 32_000), 32_000, seed) <= TOLERANCE


def test_an_mp3_decodes_to_what_another_decoder_gives(tmp_path: Path, write_audio: Write) -> None:
    path = tmp_path / "a.mp3"
    write_audio(path, 8.0, rate=44_100, channels=2)
    assert worst_difference(path, whole_by_libsndfile(path, 32_000), 32_000) <= 1e-4  # mpg123 and FFmpeg


@pytest.mark.parametrize("name", ["variable.mp3", "variable-without-index.mp3", "a.m4a"])
def test_a_sound_is_found_at_the_time_it_was_recorded(
    tmp_path: Path, write_with_ffmpeg: Write, name: str
) -> None:
    rate, burst_second = 44_100, 9.25
    samples = np.zeros((12 * rate, 2), np.float32)
    samples[: 6 * rate] += 0.1 * np.random.default_rng(0).standard_normal((6 * rate, 2)).astype(np.float32)
    first = round(burst_second * rate)
    samples[first : first + 400] = 0.8
    codec, encoder, muxer = MP3_AND_OTHERS[name]
    write_with_ffmpeg(tmp_path / name, codec, samples=samples, encoder=encoder, muxer=muxer)
    clip = decode_clip(open_root(tmp_path), Stretch(name, 9.0, 1.0), sample_rate=32_000)
    found_second = 9.0 + np.flatnonzero(np.abs(clip) > 0.4)[0] / 32_000
    # Without an index nothing says how much padding the encoder put in front: at most 1105 samples of delay.
    assert abs(found_second - burst_second) < (0.03 if "without-index" in name else 0.002)


def test_channels_are_averaged_and_loudness_is_left_alone(tmp_path: Path) -> None:
    rate = 32_000
    left, right = np.full(rate, 1.5, np.float32), np.full(rate, -0.5, np.float32)
    soundfile.write(tmp_path / "loud.wav", np.stack([left, right], 1), rate, subtype="FLOAT")
    clip = decode_clip(open_root(tmp_path), Stretch("loud.wav", 0.0, 1.0), sample_rate=rate)
    np.testing.assert_array_equal(clip, np.full(rate, 0.5, np.float32))


def test_resampling_keeps_a_tone_at_its_pitch_and_level(tmp_path: Path) -> None:
    seconds = np.arange(44_100 * 3) / 44_100
    soundfile.write(
        tmp_path / "tone.flac", 0.5 * np.sin(2 * np.pi * 1_000 * seconds), 44_100, subtype="PCM_24"
    )
    clip = decode_clip(open_root(tmp_path), Stretch("tone.flac", 1.0, 1.0), sample_rate=32_000)
    expected = 0.5 * np.sin(2 * np.pi * 1_000 * (1.0 + np.arange(32_000) / 32_000))
    np.testing.assert_allclose(clip, expected, atol=1e-5)


def test_probe_states_rate_length_and_channels(tmp_path: Path, write_audio: Write) -> None:
    write_audio(tmp_path / "a.flac", 2.0, rate=44_100, channels=2)
    write_audio(tmp_path / "a.mp3", 2.0, rate=22_050)
    for name, rate, channels in (("a.flac", 44_100, 2), ("a.mp3", 22_050, 1)):
        with (tmp_path / name).open("rb") as file:
            info = probe(file)
        assert (info.sample_rate, info.samples, info.channels) == (rate, 2 * rate, channels)
        assert info.seconds == 2.0


def test_a_variable_rate_mp3_without_an_index_has_its_true_length(
    tmp_path: Path, write_with_ffmpeg: Write
) -> None:
    codec, encoder, muxer = MP3_AND_OTHERS["variable-without-index.mp3"]
    write_with_ffmpeg(tmp_path / "a.mp3", codec, 12.0, encoder=encoder, muxer=muxer)
    with (tmp_path / "a.mp3").open("rb") as file:
        assert probe(file).seconds == pytest.approx(12.0, abs=0.06)


def damage_nothing_but(path: Path, kind: str, write: Write) -> Path:
    """A file that is broken in one way."""
    if kind == "empty.mp3":
        (path / kind).write_bytes(b"")
    elif kind == "text.wav":
        (path / kind).write_text("Dear diary, today I renamed a text file.\n" * 50, encoding="utf-8")
    elif kind == "noise.mp3":
        (path / kind).write_bytes(np.random.default_rng(0).bytes(60_000))
    elif kind.startswith("cut"):
        write(path / f"whole{Path(kind).suffix}", 6.0, rate=44_100)
        whole = (path / f"whole{Path(kind).suffix}").read_bytes()
        (path / kind).write_bytes(whole[: len(whole) // 2])
    elif kind == "promise.flac":
        write(path / kind, 3.0)
        change_flac_length(path / kind, samples=22_050 * 60)
    elif kind == "promise.wav":
        write(path / kind, 3.0)
        content = bytearray((path / kind).read_bytes())
        struct.pack_into("<I", content, content.index(b"data") + 4, 22_050 * 2 * 60)
        (path / kind).write_bytes(content)
    elif kind == "promise.mp3":
        write(path / kind, 3.0, rate=44_100)
        content = bytearray((path / kind).read_bytes())
        struct.pack_into(">I", content, max(content.find(b"Info"), content.find(b"Xing")) + 8, 2_000)
        (path / kind).write_bytes(content)
    elif kind == "header.wav":
        write(path / kind, 1.0)
        (path / kind).write_bytes((path / kind).read_bytes()[:44])
    return path / kind


def change_flac_length(path: Path, samples: int) -> None:
    """Overwrite the 36-bit count of samples in STREAMINFO (RFC 9639, section 8.2)."""
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | samples >> 32
    content[22:26] = (samples & 0xFFFF_FFFF).to_bytes(4, "big")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("empty.mp3", "empty"),
        ("text.wav", "cannot read the file as audio"),
        ("noise.mp3", "no audio data|cannot read|decodes"),
        ("header.wav", "promises|cannot read|no audio"),
        ("cut.wav", "promises"),
        ("cut.aiff", "promises"),
        ("cut.au", "promises"),
        ("cut.flac", "damaged"),
        ("cut.mp3", "promises"),
        ("promise.wav", "promises"),
        ("promise.flac", "end cannot be decoded|damaged"),
        ("promise.mp3", "promises"),
    ],
)
def test_probe_refuses_a_broken_file(tmp_path: Path, write_audio: Write, kind: str, said: str) -> None:
    path = damage_nothing_but(tmp_path, kind, write_audio)
    with path.open("rb") as file, pytest.raises(AudioError, match=said):
        probe(file)


def test_a_broken_mp3_is_refused_without_a_decoder_writing_to_the_terminal(
    tmp_path: Path, write_audio: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    path = damage_nothing_but(tmp_path, "cut.mp3", write_audio)
    with path.open("rb") as file, pytest.raises(AudioError):
        probe(file)
    assert capfd.readouterr() == ("", "")


def test_a_wav_written_into_a_pipe_is_no_broken_file(tmp_path: Path, write_audio: Write) -> None:
    write_audio(tmp_path / "a.wav", 1.0)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", content, content.index(b"data") + 4, 0xFFFF_FFFF)
    (tmp_path / "a.wav").write_bytes(content)
    with (tmp_path / "a.wav").open("rb") as file:
        assert probe(file).samples == 22_050


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_clip_with_nan_or_infinity_is_refused_and_its_neighbour_is_not(tmp_path: Path, bad: float) -> None:
    samples = np.full(4 * 8_000, 0.1, np.float32)
    samples[3 * 8_000] = bad
    soundfile.write(tmp_path / "a.wav", samples, 8_000, subtype="FLOAT")
    root = open_root(tmp_path)
    assert len(decode_clip(root, Stretch("a.wav", 0.0, 2.0), sample_rate=8_000)) == 16_000
    with pytest.raises(AudioError, match=r"'a\.wav': The clip at 2 s holds NaN"):
        decode_clip(root, Stretch("a.wav", 2.0, 2.0), sample_rate=8_000)


def test_a_clip_beyond_the_end_is_refused(tmp_path: Path, write_audio: Write) -> None:
    write_audio(tmp_path / "a.wav", 3.0)
    with pytest.raises(AudioError, match=r"ends 1\.000 s before"):
        decode_clip(open_root(tmp_path), Stretch("a.wav", 2.0, 2.0), sample_rate=32_000)


def test_damage_in_the_middle_of_an_mp3_fails_the_clips_that_it_touches(
    tmp_path: Path, write_audio: Write
) -> None:
    path = tmp_path / "a.mp3"
    write_audio(path, 12.0, rate=44_100, channels=2)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6_000] = bytes(6_000)
    path.write_bytes(content)
    root = open_root(tmp_path)
    assert len(decode_clip(root, Stretch("a.mp3", 0.0, 4.0), sample_rate=32_000)) == 128_000
    with pytest.raises(AudioError, match=r"damaged|ends"):
        decode_clip(root, Stretch("a.mp3", 4.0, 4.0), sample_rate=32_000)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.wav"):
        decode_clip(open_root(tmp_path), Stretch("gone.wav", 0.0, 1.0), sample_rate=32_000)


def test_silence_is_told_from_quiet_music() -> None:
    assert is_silent(np.zeros(100, np.float32))
    assert is_silent(np.full(100, -9e-5, np.float32))
    assert not is_silent(np.full(100, -2e-4, np.float32))
