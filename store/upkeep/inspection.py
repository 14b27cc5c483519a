"""Comparison of all objects of a store with their records: a list of what is damaged, missing or extra."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as Names
from dataclasses import dataclass, replace
from typing import Any

from store.arrays.collection import Collection
from store.arrays.commits import Commits
from store.arrays.completion import completion_name
from store.arrays.disagreements import Disagreement, Problem, refused_folders, short, unread
from store.arrays.document_checks import check_dataset_document
from store.arrays.layout import document_key, is_file_name
from store.arrays.manifests import manifest_of
from store.arrays.shards import checksum
from store.arrays.verification import verify_around, verify_documents, vouched_shards
from store.arrays.vouched import LEAST_THREADS, Vouched, checking_here
from store.datasets import dataset_key, dataset_of
from store.errors import CorruptData, NotFound, NotPlain, StorageError, UndertoneError
from store.format_version import FORMAT_KEY, stored_version
from store.objects.concurrency import map_concurrently
from store.objects.ledger import (
    OF_DATASET,
    RECORDS,
    Entry,
    Record,
    all_records,
    is_recorded,
    read_committed,
    record_key,
    recorded_folders,
    recorded_name,
)
from store.objects.protocol import ObjectStore, Survey
from store.objects.sealed import opened_bytes, opened_json
from store.tags import named_run
from store.upkeep.standing import gone_runs

KINDS = ("runs", "codes", "features")
CACHES = ("moments", "state")
FOLDERS = ("datasets", *KINDS, "results", "audio", *CACHES, "tags")
_PROVED_ELSEWHERE = re.compile(r"(runs|codes|features)/[^/]+/(commits|\w+\.zarr)/.*")
_PROVES_NOTHING = re.compile(r"(runs|codes|features)/[^/]+/(attempts|heartbeat)/.*")
_DOCUMENT = re.compile(r"\.json$|^(runs|codes|features)/[^/]+/plan/")
_GONE = "it is gone, although a record names it"
_OF_AUDIO = re.compile(r"datasets/[^/]+/audio/")
_SECONDARY = re.compile(rf"audio/.*|datasets/[^/]+/((versions/\d+/)?{OF_DATASET}|audio/.*)")


def inspect(
    objects: ObjectStore, prefixes: Names[str] | None = None, *, check: "CheckAll | None" = None
) -> list[Disagreement]:
    """Everything that disagrees in a store, or below some of its folders ("runs/a", "datasets/b").

    `check` reads what is large, last, of which it gets an iterator, how many there are and their bytes; by
    default threads of this process do.
    """
    found = [] if prefixes is not None else list(_check_format(objects))
    records, unread_records = _read_records(objects, prefixes)
    found += unread_records
    found += _check_entries(objects, records, _check_entry, is_checked=_is_small)
    large = [_Large.of_records(records)]

    def around(collection: Collection) -> list[Disagreement]:
        commits, problems = verify_around(collection)
        large.append(_Large.of_collection(collection, commits))
        return problems

    for prefix in _collections(objects, prefixes):
        found += _check_collection(objects, prefix, around)
    found += _unnamed(objects, records, {entry.key for entry in found}, prefixes)
    vouched = (one for some in large for one in some.vouched)
    count, nbytes = sum(some.count for some in large), sum(some.nbytes for some in large)
    found += check(vouched, count, nbytes) if check else checking_here(objects)(vouched)
    return _each_once(found)


CheckAll = Callable[[Iterable[Vouched], int, int], Iterable[Disagreement]]


@dataclass(frozen=True, slots=True)
class _Large:
    """Objects that are read to be checked, and nothing is learned from but that."""

    vouched: Iterable[Vouched]
    count: int
    nbytes: int

    @classmethod
    def of_records(cls, records: Mapping[str, Record]) -> "_Large":
        """Sounds, tables of clips, moments and the like."""
        entries = [
            entry
            for record in records.values()
            for entry in record.entries
            if _is_read(record) and not _is_small(entry)
        ]
        vouched = (Vouched(one.key, one.nbytes or 0, one.crc32c or "") for one in entries)
        return cls(vouched, len(entries), sum(one.nbytes or 0 for one in entries))

    @classmethod
    def of_collection(cls, collection: Collection, commits: Commits) -> "_Large":
        """Its shards."""
        return cls(vouched_shards(collection, commits), commits.shards, commits.nbytes)


def inspect_documents(objects: ObjectStore) -> list[Disagreement]:
    """The same from plans, documents, records and markers alone: what is large is only missed."""
    records, found = _read_records(objects, None)
    found += _check_entries(objects, records, _check_document)
    collections = _collections(objects, None)
    for prefix in collections:
        found += _check_collection(objects, prefix, verify_documents)
    small = (*CACHES, *(f"{prefix}/plan" for prefix in collections))
    found += _unnamed(objects, records, {entry.key for entry in found}, small)
    return _each_once(found)


def _read_records(
    objects: ObjectStore, prefixes: Names[str] | None
) -> tuple[dict[str, Record], list[Disagreement]]:
    """The records by name, and those that cannot be read."""
    records, found = dict[str, Record](), list[Disagreement]()
    for prefix in FOLDERS if prefixes is None else prefixes:
        found += _misplaced(objects.survey(f"{RECORDS}/{prefix}"))
        for name, record in all_records(objects, prefix):
            if isinstance(record, Record):
                records[name] = record
            else:
                found.append(_unread_record(record_key(name), record))
    return records, found


def damage(found: Sequence[Disagreement]) -> list[Disagreement]:
    """What is wrong, without mere notes."""
    return [entry for entry in found if entry.problem != "note"]


def _check_format(objects: ObjectStore) -> Iterator[Disagreement]:
    try:
        stored_version(objects)
    except (CorruptData, NotFound, StorageError) as error:
        yield _unread_record(FORMAT_KEY, error)


def _unread_record(key: str, error: Exception) -> Disagreement:
    found = unread(key, error, "record")
    return found if found.problem == "unreadable" else replace(found, problem="record")


_Check = Callable[[ObjectStore, Sequence[str], Record, Entry], Disagreement | None]


def _check_entries(
    objects: ObjectStore,
    records: dict[str, Record],
    check: _Check,
    *,
    is_checked: Callable[[Entry], bool] = lambda _: True,
) -> list[Disagreement]:
    """Those objects that records name which are to be checked here."""
    entries = [
        (record, entry)
        for record in records.values()
        for entry in record.entries
        if _is_read(record) and is_checked(entry)
    ]
    runs = [name.split("/")[1] for name, record in records.items() if record.kind == "runs"]
    threads = max(LEAST_THREADS, objects.read_threads)
    checked = map_concurrently(lambda pair: check(objects, runs, *pair), entries, threads=threads)
    return [problem for problem in checked if problem]


def _is_read(record: Record) -> bool:
    """Not those of markers, which are read by the check of their collection."""
    return record.kind != "complete"


def _is_small(entry: Entry) -> bool:
    """Whether an object proves itself, or what it says is looked at, too."""
    is_looked_at = entry.key.startswith("results/") or _DOCUMENT.search(entry.key) or manifest_of(entry.key)
    return entry.nbytes is None or entry.crc32c is None or bool(is_looked_at)


def _check_entry(
    objects: ObjectStore, runs: Sequence[str], record: Record, entry: Entry
) -> Disagreement | None:
    try:
        data = objects.get(entry.key)
    except NotFound:
        return Disagreement("missing", entry.key, None, _GONE)
    except (UndertoneError, OSError) as error:
        return unread(entry.key, error, "checksum")
    if entry.nbytes is None:
        return _check_proof(runs, record, entry, data)
    if len(data) != entry.nbytes:
        return Disagreement("length", entry.key, None, f"{len(data)} bytes, the record says {entry.nbytes}")
    if checksum(data) != entry.crc32c:
        detail = f"CRC-32C {checksum(data)}, the record says {entry.crc32c}"
        return Disagreement("checksum", entry.key, None, detail)
    return _about_gone_runs(runs, entry.key, data) if entry.key == record.name else None


def _check_document(
    objects: ObjectStore, runs: Sequence[str], record: Record, entry: Entry
) -> Disagreement | None:
    """A document or plan is read; anything else must be there, but for a dataset's sounds: too many."""
    if _DOCUMENT.search(entry.key):
        return _check_entry(objects, runs, record, entry)
    if record.kind == "sounds":
        return None
    try:
        return None if objects.exists(entry.key) else Disagreement("missing", entry.key, None, _GONE)
    except (UndertoneError, OSError) as error:
        return unread(entry.key, error, "checksum")


def _about_gone_runs(runs: Sequence[str], key: str, data: bytes) -> Disagreement | None:
    """A note where a result, which is whole, is about a run that was removed or lies in another store."""
    if not key.startswith("results/") or not (gone := gone_runs(data, runs)):
        return None
    return Disagreement("note", key, None, f"rows about {', '.join(gone)}, which is not in this store")


def _check_proof(runs: Sequence[str], record: Record, entry: Entry, data: bytes) -> Disagreement | None:
    try:
        opened = opened_bytes(data, entry.key) if record.kind == "state" else opened_json(data, entry.key)
        if isinstance(opened, dict) and record.kind == "dataset":
            check_dataset_document(opened, entry.key.split("/")[1], entry.key)
    except CorruptData as error:
        return Disagreement("checksum", entry.key, None, short(error))
    said = record.payload.get("fingerprint")
    if isinstance(opened, dict) and said is not None and opened.get("fingerprint") != said:
        return Disagreement("checksum", entry.key, None, "it is the document of another dataset")
    if isinstance(opened, dict) and record.kind == "tag":
        return _check_tag(runs, entry.key, opened)
    return None


def _check_tag(runs: Sequence[str], key: str, document: Mapping[str, Any]) -> Disagreement | None:
    try:
        run_id = named_run(document, key)
    except CorruptData as error:
        return Disagreement("checksum", key, None, short(error))
    if run_id not in runs:
        return Disagreement("note", key, None, f"it names the run {run_id}, which is not in this store")
    return None


def _collections(objects: ObjectStore, prefixes: Names[str] | None) -> list[str]:
    recorded = [f"{kind}/{name}" for kind in KINDS for name in recorded_folders(objects, kind)]
    return [
        prefix
        for prefix in recorded
        if (prefixes is None or prefix in prefixes) and _is_there(objects, document_key(prefix))
    ]


def _is_there(objects: ObjectStore, name: str) -> bool:
    """Whether there is a record that can be looked at; the others stand in the list by themselves."""
    try:
        return is_recorded(objects, name)
    except UndertoneError:
        return False


def _check_collection(
    objects: ObjectStore, prefix: str, check: Callable[[Collection], Iterable[Disagreement]]
) -> Iterator[Disagreement]:
    key = document_key(prefix)
    try:
        document = opened_json(read_committed(objects, key), key)
    except UndertoneError:  # its record or document stands in the list already
        return
    try:
        collection = Collection(objects, prefix, document)
    except CorruptData as error:
        yield Disagreement("document", key, None, short(error))
        return
    for entry in check(collection):
        if entry.problem != "plan" or not _plan_is_listed(objects, prefix):
            yield entry
    yield from _check_references(objects, collection)
    yield from _check_completion(objects, collection)


def _check_completion(objects: ObjectStore, collection: Collection) -> Iterator[Disagreement]:
    try:
        units, missing = len(collection.plan()), len(collection.missing())
    except UndertoneError:  # stands in the list already
        return
    name = completion_name(collection.prefix, units)
    if not missing and not _is_there(objects, name):
        detail = "everything is committed, but no record says so: it is lost, or a driver was killed here"
        yield Disagreement("record", record_key(name), None, detail)


def _plan_is_listed(objects: ObjectStore, prefix: str) -> bool:
    """Whether a part of the plan is damaged as a file: then that stands in the list by its own name."""
    from store.arrays.plan import part_keys, read_part

    try:
        for key in part_keys(objects, prefix):
            read_part(objects, key)
    except UndertoneError:
        return True
    return False


def _check_references(objects: ObjectStore, collection: Collection) -> Iterator[Disagreement]:
    name, codes = dataset_of(collection.document), collection.document.get("codes")
    if name is not None and not _is_there(objects, dataset_key(name)):
        detail = f"{collection.prefix} was made from this dataset, which is gone"
        yield Disagreement("reference", dataset_key(name), None, detail)
    if isinstance(codes, str) and codes and not _is_there(objects, document_key(f"codes/{codes}")):
        detail = f"{collection.prefix} was made from these codes, which are gone"
        yield Disagreement("reference", document_key(f"codes/{codes}"), None, detail)


def _unnamed(
    objects: ObjectStore, records: dict[str, Record], listed: Names[str], prefixes: Names[str] | None
) -> Iterator[Disagreement]:
    """Objects that no record names: a writer was killed there, or the record is lost."""
    named = {entry.key for record in records.values() for entry in record.entries}
    damaged = {recorded_name(key) for key in listed if key.startswith(f"{RECORDS}/")}
    for prefix in FOLDERS if prefixes is None else prefixes:
        survey = objects.survey(prefix)
        yield from _misplaced(survey)
        for key in survey.versions:
            if key in named or key in damaged or _PROVED_ELSEWHERE.fullmatch(key):
                continue
            problem, detail = _judged(objects, key)
            if problem == "stranger" or not _PROVES_NOTHING.fullmatch(key):
                yield Disagreement(problem, key, None, detail)


def _misplaced(survey: Survey) -> list[Disagreement]:
    """Links in the place of folders, folders in the place of files, and among records files that are none."""
    detail = "it is a folder where a file must be"
    folders = [key for key in survey.folders if is_file_name(key) and not _OF_AUDIO.match(key)]
    no_record = "it is no record, and no folder of records"
    others = [key for key in survey.versions if key.startswith(f"{RECORDS}/") and not key.endswith(".json")]
    return [
        *refused_folders(survey),
        *(Disagreement("stranger", key, None, detail) for key in folders),
        *(Disagreement("stranger", key, None, no_record) for key in others),
    ]


def _judged(objects: ObjectStore, key: str) -> tuple[Problem, str]:
    try:
        objects.exists(key)
    except NotPlain as error:
        return "stranger", short(error)
    if key.startswith(KINDS) and _belongs_to_nothing(objects, key):
        return "note", "it belongs to no run: its record is lost, or a writer was killed here"
    if _SECONDARY.fullmatch(key):
        return "note", "no record names it: a writer was killed here, and the same command goes on with it"
    return "unrecorded", "no record names it: the record is lost, or a writer was killed here"


def _belongs_to_nothing(objects: ObjectStore, key: str) -> bool:
    document = document_key("/".join(key.split("/")[:2]))
    return key != document and not _is_there(objects, document)


def _each_once(found: Sequence[Disagreement]) -> list[Disagreement]:
    return list({(entry.key, entry.unit_id): entry for entry in reversed(found)}.values())[::-1]
