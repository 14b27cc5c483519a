"""One shard, one writer: create it, or decide about the one that is already there."""

from collections.abc import Callable

import numpy as np

from store.errors import CorruptData
from store.layout import ArrayLayout
from store.objects import ObjectStore
from store.shards import Array, EncodedShard, checksum, decode_shard, encode_shard, filled_rows


def seal_shard(
    objects: ObjectStore, layout: ArrayLayout, key: str, stored: Array, committed: Callable[[], bool]
) -> tuple[int, str] | None:
    """Put a shard in storage order into place; returns length and CRC-32C of the bytes that lie there.

    A shard without a marker was left by a writer that died, or is being written by a rival. It is adopted
    where it agrees with ours in length, index and rows of NaN (processors may differ in the last bit), else
    replaced. Once the unit is `committed` nothing is touched: None.
    """
    encoded = encode_shard(layout, stored)
    if objects.create(key, encoded.buffers):
        return encoded.nbytes, encoded.checksum()
    if committed():
        return None
    found = objects.get(key)
    if _agrees(layout, found, encoded, stored):
        return len(found), checksum([found])
    objects.put(key, b"".join(encoded.buffers))
    return encoded.nbytes, encoded.checksum()


def _agrees(layout: ArrayLayout, found: bytes, encoded: EncodedShard, stored: Array) -> bool:
    plain = layout.spec.compression == "none"
    if plain and (len(found) != encoded.nbytes or found[-layout.index_bytes :] != encoded.index):
        return False
    try:
        theirs = decode_shard(layout, found)
    except CorruptData:
        return False
    return np.array_equal(filled_rows(layout, theirs), filled_rows(layout, stored))
