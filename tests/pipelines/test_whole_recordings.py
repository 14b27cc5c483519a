"""Every sample that was recorded is read once and in its place, and no padding is taken for audio.

The oracle is what was written: its number of samples, and where it correlates with what is read.
"""

import io
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pipelines.audio.clips import ClipReader, decode_clip, probe
from pipelines.audio.files import open_root
from pipelines.audio.ogg_links import split_links
from pipelines.audio.packets import opened_packets
from store.errors import AudioError

Samples = NDArray[np.float32]
Write = Callable[..., Samples]
RATE = 44_100
COUNT = 3 * RATE + 123


@dataclass(frozen=True)
class Stretch:
    uri: str
    start_seconds: float
    duration_seconds: float


def music(count: int = COUNT, rate: int = RATE, channels: int = 2, seed: int = 0) -> Samples:
    """Noise without the highest pitches, on and off, which looks like itself at one lag only."""
    random = np.random.default_rng(seed)
    noise = np.stack([np.convolve(random.standard_normal(count), np.hanning(15), "same")] * channels, 1)
    is_on = np.repeat(random.random(count // 4_000 + 1) > 0.3, 4_000)[:count, None]
    return np.asarray(0.05 * noise * (0.2 + 0.8 * is_on), np.float32)


def seconds_and_whole(path: Path, rate: int) -> tuple[float, Samples]:
    """Its measured length, and all of it as clips read it."""
    with path.open("rb") as file:
        seconds = probe(file).seconds
    return seconds, decode_clip(open_root(path.parent), Stretch(path.name, 0.0, seconds), sample_rate=rate)


def lag(written: Samples, read: Samples) -> int:
    size = 1 << int(np.ceil(np.log2(len(written) + len(read))))
    correlation = np.fft.irfft(np.fft.rfft(read, size) * np.conj(np.fft.rfft(written, size)), size)
    return (int(np.argmax(correlation)) + size // 2) % size - size // 2


def check_clips(path: Path, rate: int, tolerance: float = 1e-6) -> None:
    """Clips anywhere, up to the last sample, equal that range of the whole: alone, or by one reader."""
    seconds, whole = seconds_and_whole(path, rate)
    root = open_root(path.parent)
    starts = [0.0, 0.01, 0.51, seconds - 0.2, *np.random.default_rng(0).uniform(0, seconds - 0.2, 8)]
    alone = [decode_clip(root, Stretch(path.name, float(start), 0.2), sample_rate=rate) for start in starts]
    again = [*sorted(starts), *starts]
    with path.open("rb") as file, closing(ClipReader(file)) as reader:
        stretches = (Stretch(path.name, float(start), 0.2) for start in again)
        read = [reader.read(stretch, sample_rate=rate).resampled() for stretch in stretches]
    for start, clip in zip([*starts, *again], [*alone, *read], strict=True):
        first = round(start * rate)
        np.testing.assert_allclose(
            clip[: len(whole) - first], whole[first : first + len(clip)], atol=tolerance
        )


KEPT = {  # containers that say how long a recording is, to the sample
    "a.m4a": ("aac", RATE, 2),
    "a.mp4": ("aac", RATE, 2),
    "lossless.m4a": ("alac", RATE, 2),
    "lossless.caf": ("alac", RATE, 2),
    "pcm.mov": ("pcm_s16le", RATE, 2),
    "opus.mp4": ("libopus", 48_000, 2),
    "a.opus": ("libopus", 48_000, 2),
    "a.webm": ("libopus", 48_000, 2),
    "opus.mka": ("libopus", 48_000, 2),
    "mp3.mka": ("libmp3lame", RATE, 2),
    "a.mp3": ("libmp3lame", RATE, 2),
    "mono.mp3": ("libmp3lame", 48_000, 1),
    "a.wv": ("wavpack", RATE, 2),
    "a.tta": ("tta", RATE, 2),
    "flac.ogg": ("flac", RATE, 2),
    "flac.mka": ("flac", RATE, 2),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_recording_is_as_long_as_what_was_recorded(
    tmp_path: Path, write_with_ffmpeg: Write, name: str
) -> None:
    codec, rate, channels = KEPT[name]
    written = music(3 * rate + 123, rate, channels)
    write_with_ffmpeg(tmp_path / name, codec, rate=rate, samples=written)
    seconds, whole = seconds_and_whole(tmp_path / name, rate)
    assert round(seconds * rate) == len(whole) == len(written)
    assert lag(written.mean(axis=1), whole) == 0
    check_clips(tmp_path / name, rate)


@pytest.mark.parametrize("name", ["a.opus", "flac.ogg", "a.m4a", "lossless.m4a", "a.mp3", "a.tta"])
def test_a_recording_of_a_single_packet_is_read(tmp_path: Path, write_with_ffmpeg: Write, name: str) -> None:
    codec, rate, channels = KEPT[name]
    write_with_ffmpeg(tmp_path / name, codec, rate=rate, samples=music(600, rate, channels))
    seconds, whole = seconds_and_whole(tmp_path / name, rate)
    assert round(seconds * rate) == len(whole) == 600


def test_an_edit_list_may_end_a_recording_within_its_last_packet(
    tmp_path: Path, write_with_ffmpeg: Write
) -> None:
    """As iTunes writes them: packets are whole, and the edit list alone says what is padding."""
    path = tmp_path / "a.m4a"
    write_with_ffmpeg(path, "aac", samples=music())
    content = bytearray(path.read_bytes())
    place = content.index(b"elst") + 12
    milliseconds = int.from_bytes(content[place : place + 4], "big") - 5
    content[place : place + 4] = milliseconds.to_bytes(4, "big")
    path.write_bytes(content)
    seconds, _ = seconds_and_whole(path, RATE)
    assert seconds == pytest.approx(milliseconds / 1_000, abs=1 / RATE)


PADDED = {  # no word on the padding, or blocks of samples: the longest that the format may add
    "ms.wav": ("adpcm_ms", RATE, 2, 2_048),
    "ima.wav": ("adpcm_ima_wav", RATE, 2, 2_048),
    "yamaha.wav": ("adpcm_yamaha", RATE, 2, 4_096),
    "flash.wav": ("adpcm_swf", RATE, 2, 4_096),
    "apple.mov": ("adpcm_ima_qt", RATE, 2, 64),
    "apple.aiff": ("adpcm_ima_qt", RATE, 2, 64),
    "apple.caf": ("adpcm_ima_qt", RATE, 2, 64),
    "g722.wav": ("g722", 16_000, 1, 64),
    "a.ac3": ("ac3", RATE, 2, 1_536 + 256),
    "a.mp2": ("mp2", RATE, 2, 1_152 + 512),
    "mp3.wav": ("libmp3lame", RATE, 2, 2 * 1_152 + 528),
    "mp3.avi": ("libmp3lame", RATE, 2, 2 * 1_152 + 528),
    "a.aac": ("aac", RATE, 2, 2 * 1_024),
    "a.flv": ("aac", RATE, 2, 2 * 1_024),
    "a.amr": ("libopencore_amrnb", 8_000, 1, 2 * 160),
}


@pytest.mark.parametrize("name", PADDED)
def test_where_frames_lack_stamps_or_an_end_nothing_is_lost(
    tmp_path: Path, write_with_ffmpeg: Write, name: str
) -> None:
    codec, rate, channels, most = PADDED[name]
    encoder = {"b": "12200"} if "amr" in name else {}
    written = music(3 * rate + 123, rate, channels)
    write_with_ffmpeg(tmp_path / name, codec, rate=rate, samples=written, encoder=encoder)
    seconds, whole = seconds_and_whole(tmp_path / name, rate)
    assert 0 <= round(seconds * rate) - len(written) <= most
    assert 0 <= lag(written.mean(axis=1), whole) <= most or "amr" in name  # a model of speech, no waveform
    check_clips(tmp_path / name, rate)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
@pytest.mark.parametrize("container", ["WAV", "W64", "AIFF"])
def test_files_of_blocks_are_read_to_their_last_sample(tmp_path: Path, subtype: str, container: str) -> None:
    if not soundfile.check_format(container, subtype):
        pytest.skip(f"libsndfile writes no {subtype} in {container}")
    written = music(channels=1)
    path = tmp_path / f"a.{container.lower()}"
    soundfile.write(path, written, RATE, format=container, subtype=subtype)
    seconds, whole = seconds_and_whole(path, RATE)
    assert 0 <= round(seconds * RATE) - len(written) < 4_096
    assert lag(written[:, 0], whole) == 0
    check_clips(path, RATE)


def test_ffmpeg_and_libsndfile_find_the_same_samples_in_an_adpcm_file(tmp_path: Path) -> None:
    """FFmpeg gives the first frame of a packet a time stamp, and the others none."""
    path = tmp_path / "a.wav"
    soundfile.write(path, music(), RATE, subtype="IMA_ADPCM")
    expected, _ = soundfile.read(path, dtype="float32")
    for first in (0, 70_000, len(expected) - 3_000):
        with path.open("rb") as file, opened_packets(file) as audio:
            np.testing.assert_array_equal(audio.read(first, 3_000), expected[first : first + 3_000])
    with path.open("rb") as file, opened_packets(file) as audio:
        assert audio.measure().samples == len(expected)


def test_the_fact_chunk_says_where_the_last_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, music(), RATE, subtype="MS_ADPCM")
    assert soundfile.info(path).frames > COUNT
    with path.open("rb") as file:
        assert probe(file).samples == COUNT


def ogg(samples: Samples, rate: int = RATE, subtype: str = "VORBIS") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="OGG", subtype=subtype)
    return file.getvalue()


def flac_in_ogg(samples: Samples, folder: Path, write: Write) -> bytes:
    write(folder / "link.oga", "flac", samples=samples)
    content = (folder / "link.oga").read_bytes()
    (folder / "link.oga").unlink()
    return content


@pytest.mark.parametrize("lengths", [(3.0, 1.0), (1.0, 3.0), (1.0, 0.5, 1.5)])
@pytest.mark.parametrize("codec", ["VORBIS", "OPUS", "FLAC"])
def test_all_links_of_a_chained_ogg_are_one_recording(
    tmp_path: Path, write_with_ffmpeg: Write, codec: str, lengths: tuple[float, ...]
) -> None:
    rate = 48_000 if codec == "OPUS" else RATE
    links = [music(round(length * rate) + 77, rate, seed=seed) for seed, length in enumerate(lengths)]
    if codec == "FLAC":
        content = b"".join(flac_in_ogg(link, tmp_path, write_with_ffmpeg) for link in links)
    else:
        content = b"".join(ogg(link, rate, codec) for link in links)
    (tmp_path / "a.ogg").write_bytes(content)
    written = np.concatenate(links)
    seconds, whole = seconds_and_whole(tmp_path / "a.ogg", rate)
    assert round(seconds * rate) == len(written)
    assert lag(written.mean(axis=1), whole) == 0
    last = round(lengths[-1] * rate)
    assert lag(links[-1][-last:].mean(axis=1), whole[-last:]) == 0
    check_clips(tmp_path / "a.ogg", rate)


@pytest.mark.parametrize(
    ("rate", "channels", "said"),
    [(22_050, 2, "22050 Hz and 2 channels"), (RATE, 1, "44100 Hz and 1 channels")],
)
def test_a_chain_of_other_rates_or_channels_is_refused(
    tmp_path: Path, rate: int, channels: int, said: str
) -> None:
    (tmp_path / "a.ogg").write_bytes(ogg(music()) + ogg(music(rate, rate, channels), rate))
    with (tmp_path / "a.ogg").open("rb") as file, pytest.raises(AudioError, match=said):
        probe(file)


def test_noise_between_the_links_of_a_chain_hides_none(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(100_000)
    (tmp_path / "a.ogg").write_bytes(ogg(music()) + noise + ogg(music(seed=1)))
    with (tmp_path / "a.ogg").open("rb") as file:
        assert probe(file).samples == 2 * COUNT


def test_streams_side_by_side_in_an_ogg_file_are_no_chain(tmp_path: Path) -> None:
    written = music()
    with av.open(tmp_path / "a.ogg", "w") as container:
        streams = [container.add_stream("flac", rate=RATE, layout="stereo") for _ in range(2)]
        for start in range(0, COUNT, 1_000):
            for stream in streams:
                block = np.ascontiguousarray(written[start : start + 1_000].T)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    with (tmp_path / "a.ogg").open("rb") as file:
        assert len(split_links(file)) == 1
        assert probe(file).samples == COUNT


@pytest.mark.parametrize("container", ["WAV", "W64", "RF64", "AIFF", "AU", "CAF", "FLAC"])
def test_files_in_a_row_that_no_reader_finds_are_refused(tmp_path: Path, container: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, music(), RATE, format=container)
    assert probe(file).samples == COUNT
    with pytest.raises(AudioError, match="several in a row"):
        probe(io.BytesIO(2 * file.getvalue()))


@pytest.mark.parametrize(
    "beginning", ["RIFF", "riff", "RF64", "FORM", ".snd", "dns.", "caff", "fLaC", "OggS", "ID3"]
)
@pytest.mark.parametrize("length", [4, 11, 40])
def test_a_file_that_hardly_begins_is_no_audio(beginning: str, length: int) -> None:
    with pytest.raises(AudioError):
        probe(io.BytesIO(beginning.encode().ljust(length, b"\x01")))


def test_mp3_files_in_a_row_are_read_to_the_end(tmp_path: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, music(), RATE, format="MP3")
    (tmp_path / "a.mp3").write_bytes(2 * file.getvalue())
    with (tmp_path / "a.mp3").open("rb") as joined:
        assert 0 <= probe(joined).samples - 2 * COUNT <= 6 * 1_152
    check_clips(tmp_path / "a.mp3", RATE)


def id3(content: bytes) -> bytes:
    length = bytes(len(content) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + length + content


TAGS = {
    "none": b"",
    "id3v1": b"TAG" + b"a" * 125,
    "id3v2": id3(b"TSSE\0\0\0\x0f\0\0\x03Lavf62.12.102\0" + bytes(10)),
    "picture": id3(b"APIC" + (60_002).to_bytes(4, "big") + bytes(2) + b"\xfe\x0a\x55" * 20_000),
    "ape": b"APETAGEX" + (2_000).to_bytes(4, "little") + (100).to_bytes(4, "little") + bytes(116),
}


@pytest.mark.parametrize("index", ["0", "1"])
@pytest.mark.parametrize("tag", TAGS)
def test_an_mp3_is_read_over_the_tags_and_the_index_where_another_was_joined_to_it(
    tmp_path: Path, write_with_ffmpeg: Write, tag: str, index: str
) -> None:
    """Oracle: the second file is heard like the first, where it begins."""
    path = tmp_path / "a.mp3"
    muxer = {"write_xing": index, "id3v2_version": "0"}
    written = write_with_ffmpeg(path, "libmp3lame", samples=music(), muxer=muxer)
    path.write_bytes(path.read_bytes() + TAGS[tag] + path.read_bytes())
    _, whole = seconds_and_whole(path, RATE)
    assert 0 <= len(whole) - 2 * COUNT <= 6 * 1_152
    second = lag(written.mean(axis=1), whole[COUNT + 4 * 1_152 :]) + COUNT + 4 * 1_152
    assert abs(second - COUNT) <= 4 * 1_152
    check_clips(path, RATE)


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def cut_behind_a_page(content: bytes) -> bytes:
    return content[: content.rindex(b"OggS")]


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS", "flac"])
@pytest.mark.parametrize("cut", [cut_in_half, cut_behind_a_page])
@pytest.mark.parametrize("links", [1, 2])
def test_an_ogg_file_that_was_cut_off_is_named(
    tmp_path: Path, write_with_ffmpeg: Write, codec: str, cut: Callable[[bytes], bytes], links: int
) -> None:
    path = tmp_path / "a.ogg"
    if codec == "flac":
        write_with_ffmpeg(path, codec, samples=music())
    else:
        soundfile.write(path, music(), 48_000, format="OGG", subtype=codec)
    content = path.read_bytes()
    probe(io.BytesIO(links * content))
    with pytest.raises(AudioError, match="was cut off, or was recorded live"):
        probe(io.BytesIO((links - 1) * content + cut(content)))


@pytest.mark.parametrize("name", ["a.wav", "a.mka", "a.avi"])
def test_a_codec_that_nobody_can_decode_is_named(tmp_path: Path, write_with_ffmpeg: Write, name: str) -> None:
    write_with_ffmpeg(tmp_path / name, "libmp3lame", 1.0)
    content = (tmp_path / name).read_bytes()
    unknown = content.replace(b"A_MPEG/L3", b"A_MPEG/X9")
    if unknown == content:  # the tag of MP3 (0x55) begins the format chunk
        place = re.search(rb"(fmt |strf).{4}", content, re.DOTALL)
        assert place
        unknown = content[: place.end()] + (99).to_bytes(2, "little") + content[place.end() + 2 :]
    with pytest.raises(AudioError, match="no decoder"):
        probe(io.BytesIO(unknown))


@pytest.mark.parametrize("rates", [(RATE, 22_050), (RATE, 22_050, RATE)])
def test_an_mp3_whose_rate_changes_is_refused(tmp_path: Path, rates: tuple[int, ...]) -> None:
    parts = []
    for rate in rates:
        part = io.BytesIO()
        soundfile.write(part, music(3 * rate, rate), rate, format="MP3")
        parts.append(part.getvalue())
    (tmp_path / "a.mp3").write_bytes(b"".join(parts))
    with (tmp_path / "a.mp3").open("rb") as file, pytest.raises(AudioError, match="from 44100 to 22050 Hz"):
        probe(file)


@pytest.mark.parametrize("factor", [32_768.0, 1e30])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_integers_in_a_file_of_floats_are_refused_with_their_largest(
    tmp_path: Path, factor: float, subtype: str
) -> None:
    samples = np.full(RATE, 0.1)
    samples[30_000] = -0.5
    soundfile.write(tmp_path / "a.wav", samples * factor, RATE, subtype=subtype)
    with (
        (tmp_path / "a.wav").open("rb") as file,
        pytest.raises(AudioError, match=re.escape(f"{factor / 2:.6g}, where full")),
    ):
        probe(file)
    clip = Stretch("a.wav", 0.0, 0.5)
    with pytest.raises(AudioError, match="The clip at 0 s has samples as large as"):
        decode_clip(open_root(tmp_path), clip, sample_rate=RATE)


@pytest.mark.parametrize("name", ["a.wav", "a.mov", "a.mka"])
@pytest.mark.parametrize("bad", [np.nan, -np.inf, 40.0])
def test_one_bad_sample_in_the_middle_is_found_when_a_file_of_floats_is_added(
    tmp_path: Path, write_with_ffmpeg: Write, name: str, bad: float
) -> None:
    samples = music(8 * RATE)
    samples[2 * RATE] = bad
    write_with_ffmpeg(tmp_path / name, "pcm_f32le", samples=samples)
    said = "40, where full scale is 1" if np.isfinite(bad) else "NaN or infinite"
    with (tmp_path / name).open("rb") as file, pytest.raises(AudioError, match=said):
        probe(file)


def test_a_mix_that_peaks_above_full_scale_is_read_as_it_is(tmp_path: Path) -> None:
    samples = np.full(RATE, 7.9, np.float32)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    _, whole = seconds_and_whole(tmp_path / "a.wav", RATE)
    np.testing.assert_array_equal(whole, samples)


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.wav"])
def test_a_clip_opens_its_recording_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    soundfile.write(tmp_path / name, music(), RATE)
    opened: list[str] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            opened.append(function.__name__)
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(av, "open", counted(av.open))
    monkeypatch.setattr(soundfile, "SoundFile", counted(soundfile.SoundFile))
    decode_clip(open_root(tmp_path), Stretch(name, 1.0, 1.0), sample_rate=32_000)
    assert len(opened) == 1
