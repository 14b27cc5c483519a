"""One shard, one writer: create it, or decide about the one that is already there."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np

from store.errors import CorruptData
from store.layout import ArrayLayout
from store.objects import Buffer, ObjectStore
from store.shards import Array, ShardBuffer, checksum, decode_shard, filled_rows

HASHING_THREADS = 2


def seal_shard(
    objects: ObjectStore, layout: ArrayLayout, key: str, shard: ShardBuffer, committed: Callable[[], bool]
) -> tuple[int, str] | None:
    """Put a shard into place; returns length and CRC-32C of the bytes that lie there now.

    A shard without a marker was left by a writer that died, or is being written by a rival. It is adopted
    where it agrees with ours in length, index and rows of NaN (processors may differ in the last bit), else
    replaced. Once the unit is `committed` nothing is touched: None.
    """
    encoded = memoryview(shard.encoded())
    own_checksum = _hashing_threads(os.getpid()).submit(checksum, encoded)  # free while the disk works
    if objects.create(key, [encoded]):
        return encoded.nbytes, own_checksum.result()
    if committed():
        return None
    found = objects.get(key)
    if _agrees(layout, found, encoded, shard.stored):
        return len(found), checksum(found)
    objects.put(key, encoded)
    return encoded.nbytes, own_checksum.result()


@lru_cache(maxsize=1)
def _hashing_threads(_process: int) -> ThreadPoolExecutor:
    """Kept, for starting a thread takes as long as a checksum; per process, for a fork loses threads."""
    return ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="checksum")


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
