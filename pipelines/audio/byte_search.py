"""Finds bytes in an open file of any size."""

from typing import BinaryIO

_BLOCK_BYTES = 1 << 16


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
