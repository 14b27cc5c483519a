"""Small objects that carry a CRC-32C of their own bytes.

A sealed JSON document begins with a line that holds the checksum of everything after that line; other sealed
objects end with the four bytes of theirs. So a flipped bit, a lost end and a padded end are all found.
"""

from collections.abc import Mapping
from typing import Any

from crc32c import crc32c

from store.arrays.shards import checksum
from store.arrays.zarr_metadata import decoded_json, encoded_json
from store.errors import CorruptData
from store.objects.protocol import Buffer

_BEFORE, _AFTER = b'{"crc32c": "', b'",\n'
_HEAD_BYTES = len(_BEFORE) + 8 + len(_AFTER)
CHECKSUM_BYTES = 4


def sealed_json(document: Mapping[str, Any]) -> bytes:
    """A document, which must have at least one field, with the checksum as its first line."""
    body = encoded_json(document).removeprefix(b"{\n")
    return _BEFORE + checksum(body).encode() + _AFTER + body


def opened_json(data: Buffer, place: str) -> dict[str, Any]:
    """The document without its checksum; raises `CorruptData` naming the place where it lies."""
    content = bytes(data)
    body = content[_HEAD_BYTES:]
    if content[:_HEAD_BYTES] != _BEFORE + checksum(body).encode() + _AFTER:
        raise CorruptData(f"{place} disagrees with the checksum in its first line: run `undertone repair`.")
    document = decoded_json(content, place)
    document.pop("crc32c", None)
    return document


def sealed_bytes(data: Buffer) -> bytes:
    """Bytes with their checksum at the end."""
    return bytes(data) + crc32c(data).to_bytes(CHECKSUM_BYTES, "little")


def opened_bytes(data: Buffer, place: str) -> memoryview:
    """The bytes without their checksum, not copied; raises `CorruptData`."""
    view = memoryview(data)
    body, stated = view[:-CHECKSUM_BYTES], view[-CHECKSUM_BYTES:]
    if len(view) < CHECKSUM_BYTES or crc32c(body).to_bytes(CHECKSUM_BYTES, "little") != bytes(stated):
        raise CorruptData(f"{place} disagrees with the checksum at its end: run `undertone repair`.")
    return body
