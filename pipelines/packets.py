"""Compressed audio made of packets (MP3, Ogg, AAC/M4A …) through FFmpeg.

A packet decodes correctly only after the ones before it, and headers of these formats are often
wrong, so lengths are measured from the time stamps that FFmpeg derives from the stream itself, and
reading begins early enough for the decoder to settle.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipelines.audio_info import AudioInfo
from pipelines.media import opened_media
from store.errors import AudioError

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

_SETTLE_SECONDS = Fraction(1, 2)
"""Decoded and dropped before the wanted samples: MP3 needs about 0.3 s (bit reservoir), Opus 0.08 s."""
_REMEMBERING_CODECS = ("aac", "aac_latm")
"""Their decoder fills bands with noise from a generator that runs on from the first packet."""
_TAIL_SECONDS = Fraction(2)
_PADDING_SAMPLES = 4 * 1152
"""An MP3's index counts the encoder's padding too; what is short by more than this was cut off."""


def read_info(file: BinaryIO) -> AudioInfo:
    """Length as measured by walking all packets and decoding the last ones.

    Raises:
        AudioError: no audio stream, nothing that decodes, or far less than an MP3's index promises.
    """
    with opened_media(file) as (container, stream):
        is_mp3 = container.format.name == "mp3"
        almost_all = _stamped_seconds(container, stream) - _TAIL_SECONDS
    with opened_media(file) as (container, stream):
        samples = 0
        for position, frame in _frames_from(container, stream, almost_all):
            samples = max(samples, position + frame.samples)
        info = AudioInfo(frame.sample_rate, samples, frame.layout.nb_channels)
    promised = _promised_mp3_samples(file) if is_mp3 else None
    if promised is not None and promised - samples > _PADDING_SAMPLES:
        raise AudioError(
            f"The header promises {promised / info.sample_rate:.2f} s of audio, the file has "
            f"{info.seconds:.2f} s: it was cut off or its header is wrong."
        )
    return info


def read_rate(file: BinaryIO) -> int:
    """Samples per second of the decoded audio (a header may name half of it, as with HE-AAC)."""
    with opened_media(file) as (container, stream):
        _, frame = next(_frames_from(container, stream, Fraction(0)))
        return frame.sample_rate


def read_samples(file: BinaryIO, first: int, count: int) -> NDArray[np.float32]:
    """Samples first … first + count, fewer at the end of the file; float32 (samples, channels).

    Raises:
        AudioError: the stream is damaged within the wanted range.
    """
    rate = read_rate(file)
    pieces: list[NDArray[np.float32]] = []
    following = first
    with opened_media(file) as (container, stream):
        for position, frame in _frames_from(container, stream, Fraction(first, rate) - _SETTLE_SECONDS):
            if position + frame.samples <= following:
                continue
            if position > following or frame.sample_rate != rate:
                raise AudioError(f"The stream is damaged at {following / rate:.2f} s.")
            pieces.append(_as_float32(frame)[following - position : first + count - position])
            following += len(pieces[-1])
            if following >= first + count:
                break
    if not pieces:
        return np.empty((0, 1), np.float32)
    if len({piece.shape[1] for piece in pieces}) > 1:
        raise AudioError(f"The number of channels changes between {first / rate:.2f} s and the clip's end.")
    return np.concatenate(pieces)


def _frames_from(
    container: "InputContainer", stream: "av.AudioStream", seconds: Fraction
) -> Iterator[tuple[int, "AudioFrame"]]:
    """The recording's first frame, then those from a time after its start on, with their positions.

    Positions count samples since the first frame. They are taken from time stamps where these are
    fine enough to name every sample; otherwise nothing is skipped, and the samples are counted.
    """
    frames = _decoded(container, stream)
    origin = next(frames, None)
    if origin is None:
        raise AudioError("The file has an audio header but nothing in it decodes.")
    yield 0, origin
    following: int | None = origin.samples
    tick, start = _tick_seconds(stream), origin.pts
    exact = start is not None and (1 / (origin.sample_rate * tick)).denominator == 1
    if exact and seconds > 0 and stream.codec_context.name not in _REMEMBERING_CODECS:
        container.seek((start or 0) + int(seconds / tick), stream=stream)
        frames, following = _decoded(container, stream), None
    if exact:
        rate = tick * origin.sample_rate
        yield from _steadied(
            ((round(((frame.pts or 0) - (start or 0)) * rate), frame) for frame in frames), following
        )
        return
    counted = origin.samples
    for frame in frames:
        yield counted, frame
        counted += frame.samples


def _steadied(
    stamped: Iterator[tuple[int, "AudioFrame"]], following: int | None
) -> Iterator[tuple[int, "AudioFrame"]]:
    """Frames with the positions that they must have where one stamp disagrees with both of its neighbours.

    FFmpeg stamps the Vorbis frame at which the block size changes too late, and the next one properly; a
    real gap shifts all that follow. After a seek (`following` is None) a first frame that does not fit
    the second is dropped, as nobody knows which of them is right.
    """
    held: tuple[int, AudioFrame] | None = None
    for position, frame in stamped:
        if held is not None:
            own, kept = held
            if following is not None and following + kept.samples == position:
                own = following
            if following is not None or own + kept.samples == position:
                yield own, kept
                following = own + kept.samples
        held = (position, frame)
    if held is not None:
        yield held


def _decoded(container: "InputContainer", stream: "av.AudioStream") -> Iterator["AudioFrame"]:
    """Decode on past packets that are no audio (tags at the end, noise); gaps show in the time stamps."""
    import av

    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            continue


def _stamped_seconds(container: "InputContainer", stream: "av.AudioStream") -> Fraction:
    """Time between the first and the last packet."""
    stamps = (packet.pts for packet in container.demux(stream) if packet.pts is not None)
    first = last = next(stamps, None)
    if first is None or last is None:
        raise AudioError("The file has an audio header but no audio data.")
    for stamp in stamps:
        last = max(last, stamp)
    return (last - first) * _tick_seconds(stream)


def _tick_seconds(stream: "av.AudioStream") -> Fraction:
    if not stream.time_base:
        raise AudioError("The audio stream does not say what its time stamps count.")
    return stream.time_base


def _as_float32(frame: "AudioFrame") -> NDArray[np.float32]:
    """Samples as float32 (samples, channels) in [-1, 1) for integer formats."""
    channels = frame.layout.nb_channels
    values: NDArray[Any] = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    half_range = 1 << (8 * values.itemsize - 1)
    middle = half_range if values.dtype.kind == "u" else 0
    return ((values.astype(np.float64) - middle) / half_range).astype(np.float32)


def _promised_mp3_samples(file: BinaryIO) -> int | None:
    """Samples that the Xing/Info index in an MP3's first frame promises, None without one."""
    file.seek(0)
    head = file.read(10)
    tag_bytes = 0
    if head[:3] == b"ID3" and len(head) == 10:
        tag_bytes = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
    file.seek(tag_bytes)
    frame = file.read(4096)
    sync = frame.find(b"\xff")
    index = max(frame.find(name, sync, sync + 64) for name in (b"Xing", b"Info"))
    if not 0 <= sync < index or not frame[index + 7] & 1:
        return None
    is_mpeg1 = frame[sync + 1] & 0b0000_1000
    return int.from_bytes(frame[index + 8 : index + 12], "big") * (1152 if is_mpeg1 else 576)
