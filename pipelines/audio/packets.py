"""Decode compressed audio made of packets (MP3, Ogg, AAC/M4A …) through FFmpeg.

A packet decodes correctly only after the ones before it, and headers of these formats are often
wrong, so lengths are measured from the time stamps that FFmpeg derives from the stream itself, and
reading begins early enough for the decoder to settle.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.frame_positions import PlacedFrame, StampClock, place
from pipelines.audio.header import AudioInfo
from pipelines.audio.media import ffmpeg_errors, opened_media
from pipelines.audio.mp3_frames import has_index, promised_samples, rate_of, without_tags
from store.errors import AudioError

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

_SETTLE_SECONDS = Fraction(1, 2)
"""Decoded and dropped before the wanted samples: MP3 needs about 0.3 s (bit reservoir), Opus 0.08 s."""
_SEEKABLE = ("mp3", "mov,mp4,m4a,3gp,3g2,mj2", "tta", "wv", "ogg vorbis", "ogg opus")
"""Containers (with a codec) whose time stamps after a jump are those of reading on. Others give stamps that
are derived from a rate of bytes or of pages, and are read from their beginning."""
_FORGETFUL_CODECS = ("mp3", "mp3float", "vorbis", "libvorbis", "opus", "libopus", "alac", "tta", "wavpack")
"""Decoders that settle, beside those of PCM. ADPCM predicts from all that was, AMR and MP2 shape their noise
by it, and AAC fills bands with noise from a generator that runs on from the first packet."""
_TAIL_SECONDS = Fraction(2)
_CHECKED_SECONDS = Fraction(1, 10)
"""What must decode without a gap at the end of a recording."""
_SKIP_MANUAL = 1 << 29
"""FFmpeg's flag: the decoder cuts nothing off."""
_MOVIE_TICK_SECONDS = Fraction(1, 1000)
"""Edit lists of MP4 and M4A files are rounded to it; lengths of packets are not."""
_JOINED_PACKETS = 20
"""Half a second of MP3; fewer frames that say another rate are damage."""
_PADDING_SAMPLES = 4 * 1152
"""An MP3's index counts the encoder's padding too; what is short by more than this was cut off."""
_FAR_SECONDS = 30
"""Of sound that nobody wants: a jump over more is cheaper than decoding it."""


@contextmanager
def opened_packets(file: BinaryIO) -> Iterator["PacketAudio"]:
    """The first audio stream of an open file.

    Raises:
        AudioError: there is none, or nothing of it decodes.
    """
    with opened_media(file) as (container, stream):
        yield PacketAudio(file, container, stream)


class PacketAudio:
    """A stream whose first frame has been decoded. It is measured once, or read from front to back."""

    def __init__(self, file: BinaryIO, container: "InputContainer", stream: "av.AudioStream") -> None:
        self._file = file
        self._container = container
        self._stream = stream
        self._codec = _codec_name(container, stream)
        if self._codec == "alac":  # its last frame is as short as it should be; FFmpeg would cut it twice
            stream.codec_context.flags2 = _SKIP_MANUAL
        self._last_packet: av.Packet[av.AudioStream] | None = None
        """The last packet, once it has been met."""
        self._sounding: AudioFrame | None = None
        """The last frame of an MP3. An index behind it is that of a file that was joined to the first."""
        self._running: Iterator[PlacedFrame] | None = None
        """The frames that are still to be read, once reading has begun."""
        self._kept: deque[tuple[PlacedFrame, int]] = deque()
        """Frames that were read, with their ends: clips overlap, and are not always asked for in order."""
        self._kept_from = self._reached = 0
        self._frames = self._decoded()
        origin = next(self._frames, None)
        if origin is None:
            raise AudioError("The file has an audio header but no audio that decodes.")
        self._origin = origin
        self.rate = origin.sample_rate
        """Samples per second of the decoded audio (a header may name half of it, as with HE-AAC)."""
        self._clock = StampClock(_tick_seconds(stream) * self.rate, origin.pts)
        name = container.format.name
        self._is_movie = name.startswith("mov")
        self._can_seek = self._clock.is_exact and not {name, f"{name} {self._codec}"}.isdisjoint(_SEEKABLE)
        self._settles = self._codec in _FORGETFUL_CODECS or self._codec.startswith("pcm_")

    def measure(self) -> AudioInfo:
        """Length as measured by walking all packets and decoding the last ones.

        Raises:
            AudioError: the end does not decode, or there is far less than an MP3's index promises.
        """
        is_floating = _holds_floats(self._codec, self._origin)
        unbroken = end = 0
        peak = 0.0
        for placed in self._all() if is_floating else self._last():
            if placed.position != end:
                unbroken = placed.position
            end = max(end, self._cut(placed))
            if is_floating:
                peak = float(np.maximum(peak, np.max(np.abs(placed.frame.to_ndarray()))))
        if not end or end - unbroken < min(end, round(_CHECKED_SECONDS * self.rate)):
            raise AudioError(
                f"The stream promises {end / self.rate:.2f} s of audio, but the end cannot be decoded: "
                "the file was cut off or its header is wrong."
            )
        if self._container.format.name == "mp3":
            self._check_index(end)
        return AudioInfo(self.rate, end, self._origin.layout.nb_channels, peak)

    def goes_on(self, first: int) -> bool:
        """Whether samples from `first` on can be had without beginning anew: they lie ahead, or are kept."""
        if self._running is None:
            return True
        far = self._can_seek and self._settles and first - self._reached > _FAR_SECONDS * self.rate
        return self._kept_from <= first and not far

    def read(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples first … first + count, fewer at the end of the file; float32 (samples, channels).

        A further call goes on decoding where the last one stopped, if the stream `goes_on` there.

        Raises:
            AudioError: the stream is damaged, or changes its rate or channels, within the wanted range.
        """
        pieces: list[NDArray[np.float32]] = []
        following = first
        with ffmpeg_errors():
            for placed, frame_end in self._since(first, count):
                end = min(frame_end, first + count)
                if end <= following:
                    continue
                if placed.position > following:
                    raise AudioError(f"The stream is damaged at {following / self.rate:.2f} s.")
                piece = _as_float32(placed.frame)[following - placed.position : end - placed.position]
                if pieces and piece.shape[1] != pieces[0].shape[1]:
                    raise AudioError(f"The number of channels changes at {following / self.rate:.2f} s.")
                pieces.append(piece)
                following = end
                if following == first + count:
                    break
        return np.concatenate(pieces) if pieces else np.empty((0, 1), np.float32)

    def _since(self, first: int, count: int) -> Iterator[tuple[PlacedFrame, int]]:
        """Frames with their ends: those that are kept, then new ones. Two stretches of `count` are kept."""
        if self._running is None:
            self._running = self._from(first - round(_SETTLE_SECONDS * self.rate))
            self._kept_from = first
        self._kept_from = max(self._kept_from, first - count)
        while self._kept and self._kept[0][1] <= self._kept_from:
            self._kept.popleft()
        yield from tuple(self._kept)
        for placed in self._running:
            end = self._cut(placed)
            self._reached = max(self._reached, end)
            if end > self._kept_from:
                self._kept.append((placed, end))
            yield placed, end

    def _all(self) -> Iterator[PlacedFrame]:
        yield PlacedFrame(0, self._origin)
        yield from self._placed(following=self._origin.samples)

    def _from(self, position: int) -> Iterator[PlacedFrame]:
        """Frames from a position on, or from an earlier one where the decoder needs more before it."""
        if position > 0 and self._can_seek and self._settles:
            return self._after_seek(position)
        return self._all()

    def _last(self) -> Iterator[PlacedFrame]:
        """The last frames; all where one cannot jump."""
        if not self._can_seek:
            return self._all()
        last = self._clock.start or 0
        is_mp3 = self._codec.startswith("mp3")
        rates: Counter[int | None] = Counter()
        for packet in self._container.demux(self._stream):
            last = max(last, last if packet.pts is None else packet.pts)
            if is_mp3:
                rates[rate_of(bytes(packet))] += 1
        self._refuse_other_rates(rates)
        return self._after_seek(max(0, self._clock.position(last) - round(_TAIL_SECONDS * self.rate)))

    def _refuse_other_rates(self, rates: Mapping[int | None, int]) -> None:
        """What is joined in the middle of an MP3 is never decoded when it is measured."""
        for rate, packets in rates.items():
            if rate not in (None, self.rate) and packets >= _JOINED_PACKETS:
                raise AudioError(
                    f"The sample rate changes from {self.rate} to {rate} Hz on the way: several recordings "
                    "were joined to one. Split it, or convert it to one rate."
                )

    def _after_seek(self, position: int) -> Iterator[PlacedFrame]:
        self._container.seek(self._clock.stamp(position), stream=self._stream)
        self._frames = self._decoded()
        return self._placed(following=None)

    def _placed(self, *, following: int | None) -> Iterator[PlacedFrame]:
        for placed in place(self._frames, self._clock, following):
            if placed.frame.sample_rate != self.rate:
                raise AudioError(
                    f"The sample rate changes from {self.rate} to {placed.frame.sample_rate} Hz at "
                    f"{placed.position / self.rate:.2f} s: several recordings were joined to one. Split it, "
                    "or convert it to one rate."
                )
            yield placed

    def _cut(self, placed: PlacedFrame) -> int:
        """Where a frame ends, without the padding that stands behind the recording's end."""
        if self._last_packet is None:
            return placed.end
        return min(placed.end, self._promised_end(self._last_packet) or placed.end)

    def _decoded(self) -> Iterator["AudioFrame"]:
        """Decode on past packets that are no audio (tags at the end, noise); gaps show in the time stamps."""
        import av

        held: av.Packet[av.AudioStream] | None = None
        for packet in self._container.demux(self._stream):
            if held is not None:
                if not packet.size:  # the empty one with which a stream ends
                    self._last_packet = held
                yield from self._frames_of(held)
            held = packet
        if held is not None:
            yield from self._frames_of(held)

    def _frames_of(self, packet: "av.Packet[av.AudioStream]") -> list["AudioFrame"]:
        """What a packet decodes to; nothing where it is damaged."""
        import av

        try:
            if not self._codec.startswith("mp3"):
                return packet.decode()
            frames = self._stream.codec_context.decode(_untagged(packet))
        except av.InvalidDataError:
            frames = []
        if not frames and self._sounding is not None and has_index(without_tags(bytes(packet))):
            return [_silence(packet, self._sounding)]
        self._sounding = frames[-1] if frames else self._sounding
        return frames

    def _promised_end(self, last: "av.Packet[av.AudioStream]") -> int | None:
        """The recording's end, where the container puts it within the last packet (edit list, fact chunk)."""
        if last.pts is None or not self._clock.is_exact:
            return None
        ends = [last.pts + last.duration] if last.duration else []
        if self._stream.duration:
            end = (self._stream.start_time or 0) + self._stream.duration
            rounding = _MOVIE_TICK_SECONDS / _tick_seconds(self._stream) if self._is_movie else 0
            if not ends or ends[0] - end > rounding:
                ends.append(end)
        return min((self._clock.position(end) for end in ends if end > last.pts), default=None)

    def _check_index(self, samples: int) -> None:
        promised = promised_samples(self._file)
        if promised is not None and promised - samples > _PADDING_SAMPLES:
            raise AudioError(
                f"The header promises {promised / self.rate:.2f} s of audio, the file has "
                f"{samples / self.rate:.2f} s: it was cut off or its header is wrong."
            )


def _holds_floats(codec: str, frame: "AudioFrame") -> bool:
    """Whether the file itself holds floating-point samples, which nothing bounds."""
    return codec.startswith("pcm_f") or (codec == "wavpack" and frame.format.name.startswith("flt"))


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


def _codec_name(container: "InputContainer", stream: "av.AudioStream") -> str:
    """The codec of a stream; raises `AudioError` where FFmpeg has no decoder for it."""
    context: object = stream.codec_context
    if context is None:
        raise AudioError(
            f"FFmpeg has no decoder for the audio in this file ({container.format.name}): its codec is "
            "unknown, or its header is damaged. Convert it to WAV or FLAC with the program that wrote it."
        )
    return stream.codec_context.name


def _untagged(packet: "av.Packet[av.AudioStream]") -> "av.Packet[av.AudioStream]":
    """A packet of MP3 without the tags before its frame, with which the decoder would drop it."""
    import av

    content = bytes(packet)
    frame = without_tags(content)
    if len(frame) == len(content):
        return packet
    untagged = cast("av.Packet[av.AudioStream]", av.Packet(frame))
    untagged.pts, untagged.dts, untagged.time_base = packet.pts, packet.dts, packet.time_base
    return untagged


def _silence(packet: "av.Packet[av.AudioStream]", model: "AudioFrame") -> "AudioFrame":
    """As long as a packet lasts."""
    import av

    frame = av.AudioFrame(format=model.format.name, layout=model.layout.name, samples=model.samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate, frame.time_base, frame.pts = model.sample_rate, model.time_base, packet.pts
    return frame
