"""Removal of damaged objects and of the records that name them; records of intact runs are written anew.

What its own bytes prove is kept: a lost record of a run or a dataset is written anew from its document.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Names
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from store.arrays.collection import open_collection
from store.arrays.completion import KIND as COMPLETION
from store.arrays.disagreements import Disagreement, short
from store.arrays.layout import document_key, is_file_name, plan_key
from store.arrays.manifests import KIND as MANIFEST
from store.arrays.manifests import is_manifest, manifest_of
from store.arrays.plan import PlanPart, note_of_part, plan_digest
from store.arrays.verification import repair, verify
from store.datasets import dataset_key, dataset_record, sounds_name, versions_of
from store.errors import Conflict, NotPlain, StorageError, UndertoneError
from store.format_version import FORMAT_KEY, write_format
from store.heartbeats import FRESH_SECONDS, refuse_if_at_work
from store.objects.ledger import (
    RECORDS,
    Record,
    all_records,
    encode_record,
    entry_of,
    record_key,
    recorded_folders,
    recorded_name,
    withdraw,
)
from store.objects.parquet import is_parquet
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json
from store.upkeep.inspection import KINDS, damage, inspect

_DATASET = re.compile(r"(datasets/([^/]+)/(?:versions/\d+/)?).*")
_COLLECTION = re.compile(r"((?:runs|codes|features)/[^/]+)/(.*)")
_PLAN = re.compile(r"plan/part-\d+\.parquet")


@dataclass(slots=True)
class Mended:
    """What was done."""

    units: dict[str, int] = field(default_factory=dict)
    """Units withdrawn, by the prefix of their collection."""
    withdrawn: list[str] = field(default_factory=list)
    """Results, sounds, datasets and caches that were taken away."""
    written: list[str] = field(default_factory=list)
    """Documents and records that were written anew."""
    left: list[Disagreement] = field(default_factory=list)
    """What cannot be mended from what is there."""


def mend(
    objects: ObjectStore,
    found: Sequence[Disagreement],
    *,
    fresh_seconds: float = FRESH_SECONDS,
    again: Callable[[], Sequence[Disagreement]] | None = None,
) -> Mended:
    """Withdraw or rewrite everything that was found; raises `Conflict` while a driver is at work.

    `again` finds what disagrees (else the whole store is read), after links and the like were removed.
    """
    refuse_while_at_work(objects, fresh_seconds)
    done = Mended()
    if make_room(objects, found, done):
        found = damage(again() if again else inspect(objects))
    by_collection: dict[str, list[Disagreement]] = {}
    damaged: dict[str, Disagreement] = {}
    for entry in found:
        prefix = _prefix_of(entry)
        if entry.problem in ("reference", "unreadable"):
            done.left.append(entry)
        elif entry.key == FORMAT_KEY:
            _attempt(done, [entry], partial(_rewrite_format, objects, done))
        elif prefix is not None:
            by_collection.setdefault(prefix, []).append(entry)
        elif entry.problem != "note":
            damaged[entry.key] = entry
    for prefix, entries in by_collection.items():
        _mend_collection(objects, prefix, entries, done)
    _mend_datasets(objects, damaged, done)
    _withdraw_parts(objects, damaged, done)
    return done


def _attempt(done: Mended, entries: Sequence[Disagreement], step: Callable[[], None]) -> None:
    """Do one step; where it fails say so, for what it was about, and go on."""
    try:
        step()
    except Conflict:
        raise
    except (UndertoneError, OSError) as error:
        done.left += [replace(entry, detail=f"{entry.detail} ({short(error)})") for entry in entries]


def _rewrite_format(objects: ObjectStore, done: Mended) -> None:
    write_format(objects)
    done.written.append(FORMAT_KEY)


def make_room(objects: ObjectStore, found: Sequence[Disagreement], done: Mended) -> bool:
    """Remove links in the place of files and folders, and folders in that of files; whether some went."""
    if not objects.is_local:
        return False  # there are neither links nor folders
    held: set[str] | None = None
    removed = False
    for entry in found:
        if entry.problem in ("note", "unreadable", "reference"):
            continue
        held = _held(objects) if held is None else held
        try:
            if objects.make_room(entry.key, folders=_may_go(entry.key, held)):
                removed = True
                done.withdrawn += [entry.key] if entry.problem == "stranger" else []
        except (UndertoneError, OSError) as error:
            done.left.append(replace(entry, detail=f"{entry.detail} ({short(error)})"))
    return removed


def _may_go(key: str, held: Names[str]) -> bool:
    """Whether a folder of this name is none of a store's own, and no record names a thing in it."""
    return is_file_name(key) and not any(other.startswith(f"{key}/") for other in held)


def _held(objects: ObjectStore) -> set[str]:
    """Keys of all sound records, and of what they name."""
    keys: set[str] = set()
    for name, record in all_records(objects):
        keys |= {record_key(name)} | _keys_of(record) if isinstance(record, Record) else set()
    return keys


def refuse_while_at_work(objects: ObjectStore, fresh_seconds: float) -> None:
    """Raise `Conflict` where a heartbeat is fresh."""
    for kind in KINDS:
        for name in recorded_folders(objects, kind):
            with suppress(NotPlain, StorageError):  # a folder that is refused stands in the list already
                refuse_if_at_work(objects, f"{kind}/{name}", fresh_seconds)


def _prefix_of(entry: Disagreement) -> str | None:
    """The collection that a disagreement is about; None for everything else, and for notes."""
    match = _COLLECTION.fullmatch(entry.key.removeprefix(f"{RECORDS}/"))
    return match[1] if match and entry.problem != "note" else None


def _mend_collection(
    objects: ObjectStore, prefix: str, entries: Sequence[Disagreement], done: Mended
) -> None:
    """Records first, for without them nothing else can be read; then the units."""
    for entry in entries:
        if entry.problem in ("record", "unrecorded"):
            step = partial(_rewrite_record, objects, prefix, _name_in(entry.key), entry, done)
            _attempt(done, [entry], step)
    rest = [entry for entry in entries if entry.problem not in ("record", "unrecorded")]
    try:
        collection = open_collection(objects, prefix)
        if len(rest) < len(entries):  # what had no unit in the plan may have one now
            rest = verify(collection)
        units = repair(collection, rest)
    except Conflict:
        raise
    except (UndertoneError, OSError):
        done.left += rest
        return
    if units:
        done.units[prefix] = len(units)
    done.written += [entry.key for entry in rest if entry.problem == "metadata"]


def _rewrite_record(objects: ObjectStore, prefix: str, name: str, entry: Disagreement, done: Mended) -> None:
    """Write a lost or damaged record of a collection anew, as far as what it named proves itself."""
    rest = name.removeprefix(f"{prefix}/")
    if rest.startswith(f"{COMPLETION}/"):
        objects.delete(record_key(name))
        done.written.append(record_key(name))
        with suppress(UndertoneError):  # else the next driver that finds everything there does it
            open_collection(objects, prefix).note_complete()
        return
    record = None
    if name == document_key(prefix):
        record = _record_of_collection(objects, prefix)
    elif _PLAN.fullmatch(rest):
        record = _record_of(objects, name, "plan", is_parquet, note_of_part)
    elif manifest_of(name):
        record = _record_of(objects, name, MANIFEST, is_manifest)
    if record is None:
        done.left.append(entry)
        return
    objects.put(record_key(name), encode_record(record))
    done.written.append(record_key(name))


def _record_of_collection(objects: ObjectStore, prefix: str) -> Record | None:
    """The document carries a checksum of its own, and the digest of the plan."""
    key, plan = document_key(prefix), plan_key(prefix, 0)
    try:
        data, table = objects.get(key), objects.get(plan)
        document = opened_json(data, key)
        clips = PlanPart.from_bytes(table, plan).every_clip()
    except UndertoneError:
        return None
    if document.get("plan_sha256") != plan_digest(clips):
        return None
    return Record(key, prefix.split("/", 1)[0], (entry_of(key, data), entry_of(plan, table)))


def _record_of(
    objects: ObjectStore,
    key: str,
    kind: str,
    is_sound: Callable[[bytes], bool],
    said: Callable[[bytes], Mapping[str, Any]] = lambda _: {},
) -> Record | None:
    """A further part of a plan, and a manifest, have the checksums of their pages."""
    try:
        data = objects.get(key)
    except UndertoneError:
        return None
    return Record(key, kind, (entry_of(key, data),), said(data)) if is_sound(data) else None


def _mend_datasets(objects: ObjectStore, damaged: dict[str, Disagreement], done: Mended) -> None:
    """Version by version: where a later one is damaged, those before it stay."""
    versions: dict[tuple[str, str], list[str]] = {}
    for key in damaged:
        if match := _DATASET.fullmatch(key.removeprefix(f"{RECORDS}/")):
            versions.setdefault((match[2], f"{match[1]}dataset.json"), []).append(key)
    for (name, document), keys in versions.items():
        entries = [damaged.pop(key) for key in keys]
        _attempt(done, entries, partial(_mend_dataset, objects, name, document, entries, done))


def _mend_dataset(
    objects: ObjectStore, name: str, document: str, entries: Sequence[Disagreement], done: Mended
) -> None:
    names = {_name_in(entry.key) for entry in entries}
    only_record = {entry.problem for entry in entries} <= {"record", "unrecorded"}
    if only_record and names == {document} and _rewrite_dataset_record(objects, name, document):
        done.written.append(record_key(document))
        return
    gone = [entry.key for entry in entries if not entry.key.startswith(f"{RECORDS}/")]
    if document == dataset_key(name):  # without the first version there is no dataset
        for later in reversed(versions_of(objects, name)[1:]):  # a document alone would be finished later
            key = dataset_key(name, version=later)
            gone += [record_key(key), key]
        gone.append(record_key(sounds_name(name)))
    withdraw(objects, document, [*gone, document])
    done.withdrawn.append(document.rpartition("/")[0])


def _name_in(key: str) -> str:
    """The object that a record is named after, given the key of either."""
    return recorded_name(key) if key.startswith(f"{RECORDS}/") else key


def _rewrite_dataset_record(objects: ObjectStore, name: str, key: str) -> bool:
    """The document of a dataset proves itself and names all its files."""
    try:
        record = dataset_record(name, opened_json(objects.get(key), key))
    except UndertoneError:
        return False
    objects.put(record_key(key), encode_record(record))
    return True


def _withdraw_parts(objects: ObjectStore, damaged: dict[str, Disagreement], done: Mended) -> None:
    """Results with the sounds they are about, caches, states: whatever names a damaged object goes too."""
    gone = {key for key in damaged if not key.startswith(f"{RECORDS}/")}
    names = {recorded_name(key) for key in damaged if key not in gone}
    names |= {name for name, record in _sound_records(objects) if gone & _keys_of(record)}
    recorded = {recorded_name(key) for key in objects.survey(RECORDS).versions}
    names |= gone & recorded
    named = {name: _keys_of(record) for name, record in _sound_records(objects) if name in names}
    for name in sorted(names):
        keys = [*sorted(gone & named.get(name, set())), name]
        entries = [damaged[key] for key in (*keys, record_key(name)) if key in damaged]
        _attempt(done, entries, partial(_withdraw_part, objects, name, keys, done))
    for key in sorted(gone - names):
        _attempt(done, [damaged[key]], partial(_delete, objects, key, done))


def _withdraw_part(objects: ObjectStore, name: str, keys: Sequence[str], done: Mended) -> None:
    withdraw(objects, name, keys)
    done.withdrawn.append(name)


def _delete(objects: ObjectStore, key: str, done: Mended) -> None:
    objects.delete(key)
    done.withdrawn.append(key)


def _sound_records(objects: ObjectStore) -> list[tuple[str, Record]]:
    """Every sound record below results/: a part may name more than itself."""
    every = all_records(objects, "results")
    return [(name, record) for name, record in every if isinstance(record, Record)]


def _keys_of(record: Record) -> set[str]:
    return {entry.key for entry in record.entries}
