"""Read chained Ogg files (several recordings one after the other) as one recording.

FFmpeg starts the time stamps anew with every link of such a chain, so each link is opened by itself.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.header import AudioInfo
from pipelines.audio.joined_files import find
from pipelines.audio.packets import PacketAudio, opened_packets
from store.errors import AudioError

_CAPTURE = b"OggS"
_HEADER_BYTES = 27
_LONGEST_HEADER_BYTES = _HEADER_BYTES + 255
_BEGINS_STREAM, _ENDS_STREAM = 2, 4


def split_links(file: BinaryIO) -> list[BinaryIO]:
    """The links of an Ogg file as files of their own, one where it is no chain; none for other files.

    A link begins with the first pages of its streams, which stand together. Noise behind it is left out.
    """
    file.seek(0)
    if file.read(len(_CAPTURE)) != _CAPTURE:
        return []
    links: list[_Window] = []
    was_first = False
    for page in _pages(file):
        if page.is_first and not was_first:
            links.append(_Window(file, page.begin))
        if links:
            links[-1].end = page.end
        was_first = page.is_first
    return [cast(BinaryIO, link) for link in links]


def refuse_cut_off(file: BinaryIO) -> None:
    """Raise `AudioError` for an Ogg file with a stream that is not ended, or a page that is not whole."""
    file.seek(0)
    if file.read(len(_CAPTURE)) != _CAPTURE:
        return
    length = file.seek(0, io.SEEK_END)
    open_streams: set[bytes] = set()
    end = 0
    for page in _pages(file):
        if page.is_first:
            open_streams.add(page.stream)
        if page.is_last:
            open_streams.discard(page.stream)
        end = page.end
    if open_streams or end > length:
        raise AudioError(
            "The Ogg stream has no last page: the file was cut off, or was recorded live and never closed. "
            "Take it whole from where it comes; or, to use what is there, write it anew "
            "(ffmpeg -i OLD -c copy NEW)."
        )


class ChainedAudio:
    """The links of a chain as one recording, to be closed."""

    def __init__(self, links: Sequence[BinaryIO]) -> None:
        self._links = links
        self._measuring = self._measured()
        self._known: list[_Link] = []
        """The links that were measured, from the first on."""
        self._open: tuple[BinaryIO, PacketAudio] | None = None
        """The link that was read last; the next clip is most often in it."""
        self._closing = ExitStack()
        with opened_packets(links[0]) as audio:
            self.rate = audio.rate
            """Samples per second, the same in all links."""

    def measure(self) -> AudioInfo:
        """The length of all links together.

        Raises:
            AudioError: a link is damaged, or has another rate or other channels than the first.
        """
        infos = [link.info for link in self._all()]
        return AudioInfo(self.rate, sum(info.samples for info in infos), infos[0].channels)

    def goes_on(self, _first: int) -> bool:
        """Yes: links are opened where they are needed."""
        return True

    def read(self, first: int, count: int) -> NDArray[np.float32]:
        """Samples first … first + count, fewer at the end of the chain; float32 (samples, channels).

        Raises:
            AudioError: as `measure`, up to the link that holds the last of these samples.
        """
        pieces: list[NDArray[np.float32]] = []
        for link in self._all():
            inside = max(0, first - link.begin)
            wanted = min(first + count - link.begin, link.info.samples) - inside
            if wanted > 0:
                pieces.append(self._reader(link.file, inside).read(inside, wanted))
            if link.begin + link.info.samples >= first + count:
                break
        return np.concatenate(pieces) if pieces else np.empty((0, 1), np.float32)

    def close(self) -> None:
        """Let go of the link that is open."""
        self._open = None
        self._closing.close()

    def _reader(self, file: BinaryIO, first: int) -> PacketAudio:
        """A link, opened; again only where it would have to go back."""
        if self._open is None or self._open[0] is not file or not self._open[1].goes_on(first):
            self.close()
            self._open = file, self._closing.enter_context(opened_packets(file))
        return self._open[1]

    def _all(self) -> Iterator["_Link"]:
        """Every link; each is measured once."""
        yield from tuple(self._known)
        for link in self._measuring:
            self._known.append(link)
            yield link

    def _measured(self) -> Iterator["_Link"]:
        """Every link with the position of its first sample."""
        begin = 0
        channels: int | None = None
        for link in self._links:
            with opened_packets(link) as audio:
                info = audio.measure()
            channels = channels or info.channels
            if (info.sample_rate, info.channels) != (self.rate, channels):
                raise AudioError(
                    f"The file joins several recordings; the one that begins at {begin / self.rate:.2f} s "
                    f"has {info.sample_rate} Hz and {info.channels} channels, the first {self.rate} Hz and "
                    f"{channels}: split it, or convert it to one rate."
                )
            yield _Link(link, begin, info)
            begin += info.samples


@dataclass(frozen=True, slots=True)
class _Link:
    file: BinaryIO
    begin: int
    """Position of its first sample in the chain."""
    info: AudioInfo


class _Window(io.RawIOBase):
    """A part of an open file as a file."""

    def __init__(self, file: BinaryIO, begin: int) -> None:
        super().__init__()
        self._file = file
        self._begin = begin
        self.end = begin
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.end - self._begin}[whence]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.end - self._begin - self._place)
        self._file.seek(self._begin + self._place)
        content = self._file.read(left if size < 0 else min(size, left))
        self._place += len(content)
        return content


@dataclass(frozen=True, slots=True)
class _Page:
    begin: int
    end: int
    stream: bytes
    """Its serial number."""
    is_first: bool
    """Of its stream."""
    is_last: bool


def _pages(file: BinaryIO) -> Iterator[_Page]:
    """All pages in order; what stands between them is passed over."""
    offset: int | None = 0
    while offset is not None:
        file.seek(offset)
        header = file.read(_LONGEST_HEADER_BYTES)
        if header[:4] != _CAPTURE or len(header) < _HEADER_BYTES:
            offset = find(file, _CAPTURE, offset + 1)
            continue
        lengths = header[_HEADER_BYTES : _HEADER_BYTES + header[26]]
        end = offset + _HEADER_BYTES + len(lengths) + sum(lengths)
        flags = header[5]
        yield _Page(offset, end, header[14:18], bool(flags & _BEGINS_STREAM), bool(flags & _ENDS_STREAM))
        offset = end
