"""Tags and the index of frames in MP3 files.

Files that are joined to one (`cat a.mp3 b.mp3`) have both amid their sound.
"""

from typing import BinaryIO

_ID3_HEADER_BYTES, _ID3_FOOTER = 10, 0x10
_ID3V1_BYTES = 128
_APE_HEADER_BYTES = 32
_INDEX_BYTES = 64
"""An index names itself within these, behind the header of its frame."""


def without_tags(packet: bytes) -> bytes:
    """A packet from where its frame begins; FFmpeg puts tags that stand between frames before the next."""
    while length := _tag_length(packet):
        packet = packet[length:]
    return packet


def rate_of(packet: bytes) -> int | None:
    """Samples per second as the header of a packet's frame says them, None where there is no header."""
    head = without_tags(packet)[:3]
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    divisor = {3: 1, 2: 2, 0: 4}.get(head[1] >> 3 & 3)
    rate = {0: 44_100, 1: 48_000, 2: 32_000}.get(head[2] >> 2 & 3)
    return rate // divisor if rate and divisor else None


def has_index(frame: bytes) -> bool:
    """Whether a frame holds no sound, but a table of the frames that follow it."""
    return any(name in frame[:_INDEX_BYTES] for name in (b"Xing", b"Info"))


def promised_samples(file: BinaryIO) -> int | None:
    """Samples that the Xing/Info index in the first frame of a file promises, None without one."""
    file.seek(0)
    file.seek(_id3_length(file.read(_ID3_HEADER_BYTES)))
    frame = file.read(4096)
    sync = frame.find(b"\xff")
    index = max(frame.find(name, sync, sync + _INDEX_BYTES) for name in (b"Xing", b"Info"))
    if not 0 <= sync < index or not frame[index + 7] & 1:
        return None
    is_mpeg1 = frame[sync + 1] & 0b0000_1000
    return int.from_bytes(frame[index + 8 : index + 12], "big") * (1152 if is_mpeg1 else 576)


def _tag_length(content: bytes) -> int:
    """Length of the tag that begins here, 0 without one."""
    if content.startswith(b"TAG"):
        return _ID3V1_BYTES
    if content.startswith(b"APETAGEX"):
        return _APE_HEADER_BYTES + int.from_bytes(content[12:16], "little")
    return _id3_length(content[:_ID3_HEADER_BYTES])


def _id3_length(head: bytes) -> int:
    if head[:3] != b"ID3" or len(head) < _ID3_HEADER_BYTES:
        return 0
    content = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    footer = _ID3_HEADER_BYTES if head[5] & _ID3_FOOTER else 0
    return _ID3_HEADER_BYTES + content + footer
