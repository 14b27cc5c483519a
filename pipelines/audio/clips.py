"""Decode recordings to clips of an exact length, mono or stereo, at a model's rate, loudness untouched."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.files import Root
from pipelines.audio.header import AudioInfo
from pipelines.audio.joined_files import is_joined
from pipelines.audio.ogg_links import ChainedAudio, refuse_cut_off, split_links
from pipelines.audio.packets import opened_packets
from pipelines.audio.pcm import opened_pcm
from pipelines.audio.resampling import resample
from store.errors import AudioError

_MARGIN_SECONDS = 0.1
"""Resampled around a clip and dropped; the resampler's filter is silent beyond 0.05 s at 8 kHz and up."""
SILENCE_PEAK = 1e-4
"""Clips that never exceed -80 dB of full scale count as silent."""
LOUDEST_PEAK = 8.0
"""18 dB over full scale, more than any mix; samples beyond are integers in a file of floats, or damage."""


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

    The end of the audio data is decoded to see that it is there, and all of a file of floating-point
    samples, to see how large they are.

    Raises:
        AudioError: no audio, damaged, shorter than its header says, or its samples are not within reason.
    """
    file.seek(0)
    if not file.read(1):
        raise AudioError("The file is empty (0 bytes).")
    if is_joined(file):
        raise AudioError(
            "The file is several in a row (WAV, W64, AIFF, AU, CAF or FLAC), and readers decode the first "
            "alone: split it."
        )
    refuse_cut_off(file)
    with _opened(file) as audio:
        info = audio.measure()
    _check_range(info.peak, "The recording")
    return info


def decode_clip(root: Root, clip: Excerpt, *, sample_rate: int, channels: int = 1) -> NDArray[np.float32]:
    """One clip as float32 (samples,), or (samples, 2) with two channels; round(duration * rate) long.

    The samples are those that decoding and resampling the whole recording would give (bit for bit
    between equal processors, 1e-6 promised), but only the clip and a margin are decoded. For one
    channel all are averaged; for two, one is heard on both sides, two stay as they are, and more are
    averaged. Nothing is normalised or clipped.

    Raises:
        AudioError: the recording cannot be decoded there, ends before the clip does, or holds NaN
            or samples beyond LOUDEST_PEAK.
        NotFound: there is no such file.
    """
    with root.open(clip.uri) as file, closing(ClipReader(file)) as reader:
        return reader.read(clip, sample_rate=sample_rate, channels=channels).resampled()


def decode_whole(root: Root, uri: str, *, sample_rate: int) -> NDArray[np.float32]:
    """A whole recording, (samples,), its channels averaged; raises as `decode_clip`, which it is like."""
    with root.open(uri) as file:
        try:
            seconds = probe(file).seconds
        except AudioError as error:
            raise AudioError(f"{uri!r}: {error}") from error
        with closing(ClipReader(file)) as reader:
            return reader.read(_Whole(uri, 0.0, seconds), sample_rate=sample_rate).resampled()


@dataclass(frozen=True, slots=True)
class _Whole:
    uri: str
    start_seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """Decoded samples of a recording that decide a clip, at the recording's own rate."""

    samples: NDArray[np.float32]
    """(samples,) or (samples, 2)."""
    rate: int
    wanted_rate: int
    skip: int
    """Resampled samples before the clip's first."""
    count: int
    """Samples of the clip."""

    def resampled(self) -> NDArray[np.float32]:
        """The clip, (samples,)."""
        resampled = resample(self.samples, self.rate, self.wanted_rate)
        return np.ascontiguousarray(resampled[self.skip : self.skip + self.count])


class ClipReader:
    """Reads clips of one open recording. Clips in order of time are decoded in one pass over its packets.

    A clip gives the same samples, or the same error, in whatever order clips are asked for: what cannot be
    read on from where the last clip ended is read anew. What is held is two clips, however long the
    recording. One thread at a time.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._audio: _Audio | None = None
        self._closing = ExitStack()

    def read(self, clip: Excerpt, *, sample_rate: int, channels: int = 1) -> Stretch:
        """What decides one clip; raises as `decode_clip` does."""
        try:
            return self._read(clip, sample_rate, channels)
        except AudioError as error:
            raise AudioError(f"{clip.uri!r}: {error}") from error

    def close(self) -> None:
        """Let go of the decoder. The file stays open."""
        self._audio = None
        self._closing.close()

    def _read(self, clip: Excerpt, sample_rate: int, channels: int) -> Stretch:
        if self._audio is not None:
            try:
                return _stretch(self._audio, clip, sample_rate, channels, going_on=True)
            except (AudioError, _Elsewhere):  # damage on the way here need not concern this clip
                self.close()
        self._audio = self._closing.enter_context(_opened(self._file))
        try:
            return _stretch(self._audio, clip, sample_rate, channels, going_on=False)
        except BaseException:
            self.close()
            raise


class _Elsewhere(Exception):
    """The clip lies where a decoder cannot go on to."""


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether a clip never exceeds SILENCE_PEAK."""
    return bool(np.max(np.abs(samples), initial=0.0) < SILENCE_PEAK)


class _Audio(Protocol):
    """An open recording."""

    @property
    def rate(self) -> int: ...
    def measure(self) -> AudioInfo: ...
    def goes_on(self, first: int) -> bool: ...
    def read(self, first: int, count: int) -> NDArray[np.float32]: ...


@contextmanager
def _opened(file: BinaryIO) -> Iterator[_Audio]:
    with opened_pcm(file) as pcm:
        if pcm is not None:
            yield pcm
            return
    links = split_links(file)
    if len(links) > 1:
        with closing(ChainedAudio(links)) as chain:
            yield chain
        return
    with opened_packets(links[0] if links else file) as audio:
        yield audio


def _stretch(audio: _Audio, clip: Excerpt, sample_rate: int, channels: int, *, going_on: bool) -> Stretch:
    source_rate = audio.rate
    first, count = round(clip.start_seconds * sample_rate), round(clip.duration_seconds * sample_rate)
    begin, end = _source_range(first, count, source_rate, sample_rate)
    if going_on and not audio.goes_on(begin):
        raise _Elsewhere
    samples = audio.read(begin, end - begin)
    missing = math.floor((first + count) * source_rate / sample_rate) - begin - len(samples)
    if missing > 1:
        raise AudioError(
            f"The recording ends {missing / source_rate:.3f} s before the clip that begins at "
            f"{clip.start_seconds:g} s and lasts {clip.duration_seconds:g} s does."
        )
    _check_range(float(np.max(np.abs(samples), initial=0.0)), f"The clip at {clip.start_seconds:g} s")
    lacking = (0, end - begin - len(samples))
    heard = np.pad(_mixed(samples, channels), (lacking, (0, 0))[:channels])
    return Stretch(heard, source_rate, sample_rate, first - begin * sample_rate // source_rate, count)


def _check_range(peak: float, what: str) -> None:
    """Refuse what would be noise to a codec: it expects samples within ±1."""
    if not math.isfinite(peak):
        raise AudioError(f"{what} holds NaN or infinite samples; write the file anew without them.")
    if peak > LOUDEST_PEAK:
        raise AudioError(
            f"{what} has samples as large as {peak:.6g}, where full scale is 1: they seem to be integers in "
            "a file of floating-point numbers. Divide them by their range (32768 for 16 bits)."
        )


def _mixed(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """(samples,) for one channel, (samples, 2) for two."""
    if channels == 1:
        return mono(samples)
    return samples if samples.shape[1] == channels else np.stack([mono(samples)] * channels, axis=1)


def mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of all channels, (samples,), of samples (samples,) or (samples, channels)."""
    if samples.ndim == 1:
        return samples
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
