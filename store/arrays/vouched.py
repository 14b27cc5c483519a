"""Large objects, shards above all, beside the length and checksum that something small vouches for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from store.arrays.disagreements import Disagreement, unread
from store.arrays.layout import ArrayLayout
from store.arrays.shards import checksum, shard_checksum
from store.errors import NotFound, UndertoneError
from store.objects.concurrency import map_concurrently
from store.objects.protocol import ObjectStore

LEAST_THREADS = 2
AT_ONCE = 256
"""Objects whose checks are handed out together."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """An object that a marker, or a record, vouches for."""

    key: str
    nbytes: int
    crc32c: str
    """Of a shard as `store.arrays.shards.shard_checksum` has it."""
    layout: ArrayLayout | None = None
    """Of the array, where it is a shard, for which a marker vouches."""
    unit_id: str | None = None
    """The unit that must be computed again where it is damaged."""


Check = Callable[[Iterable[Vouched]], Iterable[Disagreement]]
"""Reads objects and says which disagree with what vouches for them."""


def checking_here(objects: ObjectStore) -> Check:
    """By the threads of this process."""
    return partial(_checked_in_turn, objects)


def checked(objects: ObjectStore, vouched: Sequence[Vouched]) -> list[Disagreement]:
    """Those of some objects that disagree."""
    threads = max(LEAST_THREADS, objects.read_threads)
    found = map_concurrently(partial(_tried, objects), vouched, threads=threads)
    return [problem for problem in found if problem]


def _checked_in_turn(objects: ObjectStore, vouched: Iterable[Vouched]) -> Iterator[Disagreement]:
    waiting = iter(vouched)
    while batch := list(islice(waiting, AT_ONCE)):
        yield from checked(objects, batch)


def _tried(objects: ObjectStore, one: Vouched) -> Disagreement | None:
    try:
        return _check(objects, one)
    except (UndertoneError, OSError) as error:
        return unread(one.key, error, "checksum", one.unit_id)


def _check(objects: ObjectStore, one: Vouched) -> Disagreement | None:
    voucher = "record" if one.layout is None else "marker"
    try:
        data = objects.get(one.key)
    except NotFound:
        gone = "it is gone, although a record names it" if one.layout is None else "the shard is gone"
        return Disagreement("missing", one.key, one.unit_id, gone)
    if len(data) != one.nbytes:
        detail = f"{len(data)} bytes, the {voucher} says {one.nbytes}"
        return Disagreement("length", one.key, one.unit_id, detail)
    if one.layout is None:
        found, detail = checksum(data), "CRC-32C {}, the record says {}"
    else:
        found = shard_checksum(one.layout, data, verify=True)
        detail = "its checksums give {}, the marker says {}: it is another shard"
    if found != one.crc32c:
        return Disagreement("checksum", one.key, one.unit_id, detail.format(found, one.crc32c))
    return None
