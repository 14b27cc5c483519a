"""Commit records: small documents that say which objects exist, with the length and checksum of each.

A record is created after what it names, lies in a tree of its own (`records/`) and is never changed. What no
record names does not exist; what a record names and is missing or different is an error that names the file.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from store.arrays.document_checks import check_entry_values
from store.arrays.layout import document_key
from store.arrays.shards import checksum
from store.errors import CorruptData, NotFound, UndertoneError
from store.objects.concurrency import map_concurrently
from store.objects.protocol import Buffer, ObjectStore
from store.objects.sealed import opened_json, sealed_json

FORMAT = 2
RECORDS = "records"
CURE = "run `undertone verify`, then `undertone repair`"
_ENDING = ".json"
OF_DATASET = r"(?:clips|failures|changes)(?:-[0-9a-f]{16})?\.parquet"
"""Names of the files of a version; with a hash where one of another command was there first."""
_DATASET_FILE = re.compile(rf"(datasets/[^/]+/(?:versions/\d+/)?){OF_DATASET}")
_HASH = re.compile(r"-[0-9a-f]{16}(?=\.parquet$)")
_FIRST_PLAN = re.compile(r"((?:runs|codes|features)/[^/]+)/plan/part-0000\.parquet")


@dataclass(frozen=True, slots=True)
class Entry:
    """One object that a record names."""

    key: str
    nbytes: int | None
    """None where the object proves itself (see `store.objects.sealed`)."""
    crc32c: str | None
    """Of the whole object, eight hex digits."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one commit record says."""

    name: str
    """Key of the object that the record is named after."""
    kind: str
    """"dataset", "runs", "plan", "complete", "results" …"""
    entries: tuple[Entry, ...]
    payload: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, key: str) -> Entry | None:
        """What the record says of one object."""
        return next((entry for entry in self.entries if entry.key == key), None)


def record_key(name: str) -> str:
    """Key of the record that is named after an object."""
    return f"{RECORDS}/{name}{_ENDING}"


def recorded_name(key: str) -> str:
    """The object that a record, given by its key, is named after."""
    return key.removeprefix(f"{RECORDS}/").removesuffix(_ENDING)


def main_of(key: str) -> str:
    """The object after which the record is named that vouches for this one."""
    if match := _DATASET_FILE.fullmatch(key):
        return f"{match[1]}dataset.json"
    if match := _FIRST_PLAN.fullmatch(key):
        return document_key(match[1])
    return key


def plain_key(key: str) -> str:
    """The usual key of a file of a dataset, given that it has."""
    return _HASH.sub("", key)


def entry_of(key: str, data: Buffer) -> Entry:
    """The entry of an object with these bytes."""
    return Entry(key, memoryview(data).nbytes, checksum(data))


def proves_itself(key: str) -> Entry:
    """The entry of an object that carries its own checksum."""
    return Entry(key, None, None)


def is_recorded(objects: ObjectStore, name: str) -> bool:
    """Whether there is a record of this name."""
    return objects.exists(record_key(name))


def recorded_names(objects: ObjectStore, prefix: str) -> list[str]:
    """Names of all records below a folder, in order of their keys."""
    found = (key for key, _ in objects.list(f"{RECORDS}/{prefix}"))
    return [recorded_name(key) for key in found if key.endswith(_ENDING)]


def encode_record(record: Record) -> bytes:
    """The record as it stands in the store."""
    named = [{"key": each.key, "bytes": each.nbytes, "crc32c": each.crc32c} for each in record.entries]
    head = {"format": FORMAT, "record": record.name, "kind": record.kind}
    return sealed_json({**head, **record.payload, "objects": named})


def write_record(objects: ObjectStore, record: Record) -> bool:
    """Create a record; False where another was there first."""
    return objects.create(record_key(record.name), [encode_record(record)])


def decode_record(data: Buffer, name: str, place: str) -> Record:
    """The record of this name; raises `CorruptData` naming the place where it lies."""
    document = opened_json(data, place)
    try:
        named = document.pop("objects")
        entries = tuple(_entry(each["key"], each["bytes"], each["crc32c"]) for each in named)
        head = document.pop("format"), document.pop("record")
        kind = str(document.pop("kind"))
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise CorruptData(f"{place} is no commit record ({error}): run `undertone repair`.") from error
    if head != (FORMAT, name):
        raise CorruptData(f"{place} is not the record of {name}: run `undertone repair`.")
    return Record(name, kind, entries, document)


def _entry(key: Any, nbytes: Any, crc32c: Any) -> Entry:
    """An entry as a stranger may have written it; raises `ValueError`."""
    check_entry_values(key, nbytes, crc32c)
    return Entry(key, nbytes, crc32c)


def read_record(objects: ObjectStore, name: str) -> Record:
    """Read one record; raises `NotFound`, and `CorruptData` where it is damaged."""
    key = record_key(name)
    return decode_record(objects.get(key), name, f"{objects.url}/{key}")


def check_entry(entry: Entry, data: Buffer, url: str) -> None:
    """Raise `CorruptData` unless the bytes are those of the entry."""
    nbytes = memoryview(data).nbytes
    if entry.nbytes is not None and nbytes != entry.nbytes:
        raise CorruptData(f"{url}/{entry.key} has {nbytes} bytes, its record says {entry.nbytes}: {CURE}.")
    if entry.crc32c is not None and checksum(data) != entry.crc32c:
        raise CorruptData(f"{url}/{entry.key} disagrees with the checksum in its record: {CURE}.")


def read_entry(objects: ObjectStore, entry: Entry) -> bytes:
    """The bytes of a named object, checked; raises `CorruptData` naming it."""
    return bytes(_checked(objects, entry, objects.get))


def _checked(objects: ObjectStore, entry: Entry, read: Callable[[str], Buffer]) -> Buffer:
    try:
        data = read(entry.key)
    except NotFound as error:
        raise CorruptData(
            f"{objects.url}/{entry.key} is gone although its record names it: {CURE}."
        ) from error
    check_entry(entry, data, objects.url)
    return data


def read_committed(objects: ObjectStore, key: str) -> bytes:
    """The bytes of an object as its record has them.

    Raises:
        NotFound: no record names it.
        CorruptData: it, or its record, is damaged or gone.
    """
    return read_entry(objects, committed_entry(objects, key))


def view_committed(objects: ObjectStore, key: str) -> memoryview:
    """The same, read-only and without a copy where there need be none."""
    return memoryview(_checked(objects, committed_entry(objects, key), objects.view))


def committed_entry(objects: ObjectStore, key: str) -> Entry:
    """What the record of an object says of it; raises `NotFound` where no record names it."""
    if (entry := read_record(objects, main_of(key)).entry(key)) is None:
        raise NotFound(f"There is no {objects.url}/{key}: no record names it.")
    return entry


def place(objects: ObjectStore, key: str, data: Buffer, *, sound: Callable[[bytes], bool]) -> Entry:
    """Put an object where its record will name it; returns the entry of what lies there then.

    What a killed writer left, or a rival wrote just now, is kept where it is `sound`, else replaced.
    """
    if objects.create(key, [data]):
        return entry_of(key, data)
    found = objects.get(key)
    if found == data or sound(found):
        return entry_of(key, found)
    objects.put(key, data)
    return entry_of(key, data)


def never(_: bytes) -> bool:
    """For `place`: what others left is not worth a look."""
    return False


def commit(
    objects: ObjectStore,
    name: str,
    data: Buffer,
    *,
    kind: str,
    sound: Callable[[bytes], bool],
    others: Sequence[Entry] = (),
) -> bool:
    """Write one object and then the record that names it, with `others`; False where it was committed."""
    if is_recorded(objects, name):
        if objects.size(name) is None:
            raise CorruptData(f"{objects.url}/{name} is gone although its record names it: {CURE}.")
        return False
    entry = place(objects, name, data, sound=sound)
    return write_record(objects, Record(name, kind, (entry, *others)))


def withdraw(objects: ObjectStore, name: str, keys: Sequence[str]) -> None:
    """Take objects away, and then their record.

    In this order no damaged object is ever without a record: the next writer would take it for one that a
    killed writer has left, and believe it.
    """
    for key in keys:
        objects.delete(key)
    objects.delete(record_key(name))


def all_records(objects: ObjectStore, prefix: str = "") -> Iterator[tuple[str, Record | UndertoneError]]:
    """Name and content of every record below a folder; for one that cannot be read what is wrong with it.

    Folders that cannot be listed are left out: `store.upkeep.inspection` names them.
    """
    folder = f"{RECORDS}/{prefix}".rstrip("/")
    names = [recorded_name(key) for key in objects.survey(folder).versions if key.endswith(_ENDING)]
    read = map_concurrently(partial(_read_or_error, objects), names, threads=objects.read_threads)
    yield from (
        (name, found) for name, found in zip(names, read, strict=True) if not isinstance(found, NotFound)
    )


def _read_or_error(objects: ObjectStore, name: str) -> Record | UndertoneError:
    """`NotFound` where it was withdrawn since it was listed."""
    try:
        return read_record(objects, name)
    except UndertoneError as error:
        return error


def recorded_folders(objects: ObjectStore, prefix: str) -> list[str]:
    """Names of the folders of records below a folder, as far as it can be looked into."""
    try:
        return list(objects.folders(f"{RECORDS}/{prefix}"))
    except UndertoneError:
        return []
