"""Detect a second sound file behind the first, which its reader would not find.

MP3 and Ogg files that were joined are read whole, and need no such check.
"""

from struct import unpack
from typing import BinaryIO

_BEGINNINGS = (b"RIFF", b"RF64", b"riff", b"FORM", b"fLaC", b".snd", b"dns.", b"caff")
_HEAD_BYTES = 32
_BLOCK_BYTES = 1 << 16
_FLAC_BEGINS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""With the header of the first block, so that no four bytes of sound are taken for a file."""


def is_joined(file: BinaryIO) -> bool:
    """Whether a WAV, W64, AIFF, AU, CAF or FLAC file has another one behind it."""
    file.seek(0)
    head = file.read(_HEAD_BYTES).ljust(_HEAD_BYTES, b"\0")
    if head[:4] == b"fLaC":
        return any(find(file, beginning, 1) is not None for beginning in _FLAC_BEGINS)
    end = _end(file, head)
    if end is None:
        return False
    file.seek(end)
    return file.read(4) in _BEGINNINGS


def _end(file: BinaryIO, head: bytes) -> int | None:
    """Where a file ends by its own word, None where it says nothing."""
    match head[:4]:
        case b"RIFF":
            return 8 + _even(int.from_bytes(head[4:8], "little"))
        case b"RF64":
            return 8 + _even(int.from_bytes(head[20:28], "little"))
        case b"riff":
            return int.from_bytes(head[16:24], "little")
        case b"FORM":
            return 8 + _even(int.from_bytes(head[4:8], "big"))
        case b".snd" | b"dns.":
            begin, length = unpack(">II" if head[:1] == b"." else "<II", head[4:12])
            return int(begin + length)
        case b"caff":
            return _end_of_caf(file)
    return None


def _end_of_caf(file: BinaryIO) -> int | None:
    """Behind the last chunk; None where that of the samples lasts to the end of the file."""
    place = 8
    while True:
        file.seek(place)
        head = file.read(12)
        if len(head) < 12 or head[:4] in _BEGINNINGS:
            return place
        size = int.from_bytes(head[4:], "big", signed=True)
        if size < 0:
            return None
        place += 12 + size


def _even(length: int) -> int:
    return length + length % 2


def find(file: BinaryIO, wanted: bytes, offset: int) -> int | None:
    """Where some bytes stand first, at or after an offset."""
    file.seek(offset)
    kept = b""
    while block := file.read(_BLOCK_BYTES):
        found = (kept + block).find(wanted)
        if found >= 0:
            return offset - len(kept) + found
        offset += len(block)
        kept = (kept + block)[1 - len(wanted) :]
    return None
