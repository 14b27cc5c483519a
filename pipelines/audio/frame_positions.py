"""Positions of decoded frames in a recording: by time stamps where they are exact, else by counting.

A frame without a time stamp follows its predecessor. Where stamps leave a gap, so do the positions: samples
that are missing must not move those that come after them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from store.errors import AudioError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

_GAP_SECONDS = Fraction(1, 10)
"""Where stamps are coarse, a smaller disagreement between them and the samples is rounding or drift."""


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame and the number of its first sample, counted from the recording's first."""

    position: int
    frame: "AudioFrame"

    @property
    def end(self) -> int:
        """Position of the sample after its last."""
        return self.position + self.frame.samples


@dataclass(frozen=True, slots=True)
class StampClock:
    """How a stream's time stamps count."""

    samples_per_tick: Fraction
    start: int | None
    """Stamp of the recording's first sample; None: frames are not stamped."""

    @property
    def is_exact(self) -> bool:
        """Whether stamps name every sample (every second one where a header names half the true rate)."""
        scale = self.samples_per_tick
        return self.start is not None and (
            (1 / scale).denominator == 1 or (scale.denominator == 1 and scale <= 2)
        )

    def position(self, stamp: int) -> int:
        """The sample that a stamp names."""
        return round((stamp - (self.start or 0)) * self.samples_per_tick)

    def stamp(self, position: int) -> int:
        """The last stamp at or before a sample."""
        return (self.start or 0) + int(position / self.samples_per_tick)


def place(frames: Iterator["AudioFrame"], clock: StampClock, following: int | None) -> Iterator[PlacedFrame]:
    """Give frames their positions.

    Args:
        frames: as they are decoded.
        clock: of their stamps.
        following: position that the first has if nothing is missing before it; None after a seek, which
            only exact stamps allow.

    Raises:
        AudioError: the stamps go back, as where several recordings were joined.
    """
    if clock.is_exact:
        return _by_stamps(frames, clock, following)
    return _by_counting(frames, clock, following or 0)


def _by_stamps(
    frames: Iterator["AudioFrame"], clock: StampClock, following: int | None
) -> Iterator[PlacedFrame]:
    for placed in _steadied(frames, clock, following):
        if following is not None and placed.position < following:
            seconds = following / placed.frame.sample_rate
            raise AudioError(
                f"The time stamps of the stream go back at {seconds:.2f} s: the file is damaged, or several "
                "recordings were joined to one. Convert it, for example to FLAC, or split it."
            )
        following = placed.end
        yield placed


def _steadied(
    frames: Iterator["AudioFrame"], clock: StampClock, following: int | None
) -> Iterator[PlacedFrame]:
    """Frames with the positions that they must have where one stamp disagrees with both of its neighbours.

    FFmpeg stamps the Vorbis frame at which the block size changes too late, and the next one properly; a
    real gap shifts all that follow. After a seek (`following` is None) a first frame that does not fit
    the second is dropped, as nobody knows which of them is right.
    """
    held: PlacedFrame | None = None
    for frame in frames:
        if frame.pts is not None:
            position = clock.position(frame.pts)
        elif held is not None:
            position = held.end
        elif following is not None:
            position = following
        else:
            continue
        if held is not None:
            if following is not None and following + held.frame.samples == position:
                held = PlacedFrame(following, held.frame)
            if following is not None or held.end == position:
                yield held
                following = held.end
        held = PlacedFrame(position, frame)
    if held is not None:
        yield held


def _by_counting(frames: Iterator["AudioFrame"], clock: StampClock, following: int) -> Iterator[PlacedFrame]:
    """Positions by counting; a stamp that jumps ahead of its predecessor's leaves a gap."""
    stamp, since = clock.start, following
    for frame in frames:
        if frame.pts is not None:
            slack = max(_GAP_SECONDS * frame.sample_rate, 2 * clock.samples_per_tick)
            jump = 0 if stamp is None else (frame.pts - stamp) * clock.samples_per_tick - since
            following += round(jump) if jump > slack else 0
            stamp, since = frame.pts, 0
        yield PlacedFrame(following, frame)
        following += frame.samples
        since += frame.samples
