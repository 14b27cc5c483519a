"""Commit one shard: create it if absent, or compare it with the one that is already there."""

from collections.abc import Callable

import numpy as np

from store.arrays.layout import ArrayLayout
from store.arrays.shards import Array, ShardBuffer, decode_shard, filled_rows, shard_checksum
from store.errors import CorruptData
from store.objects.protocol import Buffer, ObjectStore


def seal_shard(
    objects: ObjectStore, layout: ArrayLayout, key: str, shard: ShardBuffer, committed: Callable[[], bool]
) -> tuple[int, str] | None:
    """Put a shard into place; returns length and checksum of what lies there now.

    A shard without a marker was left by a writer that died, or is being written by a rival. It is adopted
    where it agrees with ours in length, index and rows of NaN (processors may differ in the last bit), else
    replaced. Once the unit is `committed` nothing is touched: None.
    """
    encoded = memoryview(shard.encoded())
    own = encoded.nbytes, shard_checksum(layout, encoded)
    if objects.create(key, [encoded]):
        return own
    if committed():
        return None
    found = objects.get(key)
    if _agrees(layout, found, encoded, shard.stored):
        return len(found), shard_checksum(layout, found)
    objects.put(key, encoded)
    return own


def _agrees(layout: ArrayLayout, found: bytes, encoded: Buffer, stored: Array) -> bool:
    plain = layout.spec.compression == "none"
    if plain and (
        len(found) != len(encoded) or found[-layout.index_bytes :] != encoded[-layout.index_bytes :]
    ):
        return False
    try:
        theirs = decode_shard(layout, found)
    except CorruptData:
        return False
    return np.array_equal(filled_rows(layout, theirs), filled_rows(layout, stored))
