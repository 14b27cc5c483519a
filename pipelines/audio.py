"""Decoding recordings to mono clips of an exact length at a model's rate, loudness untouched."""

import math
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines import packets, pcm
from pipelines.audio_info import AudioInfo
from pipelines.files import Root
from store.errors import AudioError

_MARGIN_SECONDS = 0.1
"""Resampled around a clip and dropped; the resampler's filter is silent beyond 0.05 s at 8 kHz and up."""
SILENCE_PEAK = 1e-4
"""Clips that never exceed -80 dB of full scale count as silent."""


class Excerpt(Protocol):
    """What names a stretch of a recording; a Clip and a PlannedClip both do."""

    @property
    def uri(self) -> str: ...
    @property
    def start_seconds(self) -> float: ...
    @property
    def duration_seconds(self) -> float: ...


def probe(file: BinaryIO) -> AudioInfo:
    """Sample rate, length and channels of an open recording.

    The end of the audio data is decoded to see that it is there, nothing more.

    Raises:
        AudioError: no audio, damaged, or shorter than its header says.
    """
    if not file.read(1):
        raise AudioError("The file is empty (0 bytes).")
    decoder = _decoder(file)
    info = decoder.read_info(file)
    tail = min(info.samples, info.sample_rate // 10)
    if not tail or len(decoder.read_samples(file, info.samples - tail, tail)) < tail:
        raise AudioError(
            f"The header promises {info.seconds:.2f} s of audio, but the end cannot be decoded: "
            "the file was cut off or its header is wrong."
        )
    return info


def decode_clip(root: Root, clip: Excerpt, *, sample_rate: int) -> NDArray[np.float32]:
    """One clip as mono float32 (samples,), exactly round(duration * sample_rate) long.

    The samples are those that decoding and resampling the whole recording would give (bit for bit
    between equal processors, 1e-6 promised), but only the clip and a margin are decoded. Channels are
    averaged; nothing is normalised or clipped.

    Raises:
        AudioError: the recording cannot be decoded there, ends before the clip does, or holds NaN.
        NotFound: there is no such file.
    """
    with root.open(clip.uri) as file:
        try:
            return _decode(file, clip, sample_rate)
        except AudioError as error:
            raise AudioError(f"{clip.uri!r}: {error}") from error


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether a clip never exceeds SILENCE_PEAK."""
    return bool(np.max(np.abs(samples), initial=0.0) < SILENCE_PEAK)


class _Decoder(Protocol):
    def read_rate(self, file: BinaryIO) -> int: ...
    def read_info(self, file: BinaryIO) -> AudioInfo: ...
    def read_samples(self, file: BinaryIO, first: int, count: int) -> NDArray[np.float32]: ...


def _decoder(file: BinaryIO) -> _Decoder:
    return pcm if pcm.accepts(file) else packets


def _decode(file: BinaryIO, clip: Excerpt, sample_rate: int) -> NDArray[np.float32]:
    import soxr

    decoder = _decoder(file)
    source_rate = decoder.read_rate(file)
    first, count = round(clip.start_seconds * sample_rate), round(clip.duration_seconds * sample_rate)
    begin, end = _source_range(first, count, source_rate, sample_rate)
    mono = _mono(decoder.read_samples(file, begin, end - begin))
    missing = math.floor((first + count) * source_rate / sample_rate) - begin - len(mono)
    if missing > 1:
        raise AudioError(
            f"The recording ends {missing / source_rate:.3f} s before the clip that begins at "
            f"{clip.start_seconds:g} s and lasts {clip.duration_seconds:g} s does."
        )
    if not np.isfinite(mono).all():
        raise AudioError(f"The clip at {clip.start_seconds:g} s holds NaN or infinite samples.")
    mono = np.pad(mono, (0, end - begin - len(mono)))
    skip = first - begin * sample_rate // source_rate
    resampled = soxr.resample(mono, source_rate, sample_rate, quality="VHQ")
    return np.ascontiguousarray(resampled[skip : skip + count], dtype=np.float32)


def _mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def _source_range(first: int, count: int, source_rate: int, rate: int) -> tuple[int, int]:
    """Samples of the recording that decide the resampled samples first … first + count.

    The range begins where a source sample and a resampled one fall together, so that the resampler
    has the phase it would have in the whole recording.
    """
    if source_rate == rate:
        return first, first + count
    period = source_rate // math.gcd(source_rate, rate)
    margin = math.ceil(_MARGIN_SECONDS * source_rate)
    begin = max(0, (first * source_rate // rate - margin) // period * period)
    return begin, math.ceil((first + count) * source_rate / rate) + margin
