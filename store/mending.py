"""Takes damaged things out of a store, so that the commands that made them make them again.

What its own bytes prove is kept: a lost record of a run or a dataset is written anew from its document.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from store.collection import open_collection
from store.completion import KIND as COMPLETION
from store.datasets import dataset_key, dataset_record, sounds_name
from store.errors import Conflict, CorruptData, NotFound
from store.inspection import KINDS
from store.layout import document_key, plan_key
from store.ledger import (
    RECORDS,
    Record,
    all_records,
    encode_record,
    entry_of,
    is_recorded,
    record_key,
    recorded_name,
    withdraw,
)
from store.objects import ObjectStore
from store.opening import FORMAT_KEY, write_format
from store.parquet import is_parquet
from store.plan import decode_part, plan_digest
from store.sealed import opened_json
from store.verification import HEARTBEAT_FRESH_SECONDS, Disagreement, repair, verify

_DATASET = re.compile(r"datasets/([^/]+)/.*")
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
    objects: ObjectStore, found: Sequence[Disagreement], *, fresh_seconds: float = HEARTBEAT_FRESH_SECONDS
) -> Mended:
    """Withdraw or rewrite everything that was found; raises `Conflict` while a driver is at work."""
    refuse_while_at_work(objects, fresh_seconds)
    done = Mended()
    by_collection: dict[str, list[Disagreement]] = {}
    damaged: dict[str, Disagreement] = {}
    for entry in found:
        prefix = _prefix_of(entry)
        if entry.key == FORMAT_KEY:
            write_format(objects)
            done.written.append(FORMAT_KEY)
        elif entry.problem == "reference":
            done.left.append(entry)
        elif prefix is not None:
            by_collection.setdefault(prefix, []).append(entry)
        elif entry.problem != "note":
            damaged[entry.key] = entry
    for prefix, entries in by_collection.items():
        _mend_collection(objects, prefix, entries, done)
    _mend_datasets(objects, damaged, done)
    _withdraw_parts(objects, damaged, done)
    return done


def refuse_while_at_work(objects: ObjectStore, fresh_seconds: float) -> None:
    """Raise `Conflict` where a heartbeat is fresh."""
    for kind in KINDS:
        for name in objects.folders(f"{RECORDS}/{kind}"):
            try:
                age = open_collection(objects, f"{kind}/{name}").heartbeat_age_seconds()
            except (CorruptData, NotFound):
                continue
            if age is not None and age < fresh_seconds:
                raise Conflict(
                    f"A run is at work on {kind}/{name} (its heartbeat is {age:.0f} s old): stop it, or wait "
                    f"{fresh_seconds:.0f} s after it has ended."
                )


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
            _rewrite_record(objects, prefix, _name_in(entry.key), entry, done)
    rest = [entry for entry in entries if entry.problem not in ("record", "unrecorded")]
    try:
        collection = open_collection(objects, prefix)
        if len(rest) < len(entries):  # what had no unit in the plan may have one now
            rest = verify(collection)
        units = repair(collection, rest)
    except (CorruptData, NotFound):
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
        with suppress(CorruptData, NotFound):  # else the next driver that finds everything there does it
            open_collection(objects, prefix).note_complete()
        return
    record = None
    if name == document_key(prefix):
        record = _record_of_collection(objects, prefix)
    elif _PLAN.fullmatch(rest):
        record = _record_of_plan(objects, name)
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
        clips = [clip for unit in decode_part(table, plan) for clip in unit.clips]
    except (CorruptData, NotFound):
        return None
    if document.get("plan_sha256") != plan_digest(clips):
        return None
    return Record(key, prefix.split("/", 1)[0], (entry_of(key, data), entry_of(plan, table)))


def _record_of_plan(objects: ObjectStore, key: str) -> Record | None:
    """A further part of a plan has the checksums of its pages."""
    try:
        data = objects.get(key)
    except NotFound:
        return None
    return Record(key, "plan", (entry_of(key, data),)) if is_parquet(data) else None


def _mend_datasets(objects: ObjectStore, damaged: dict[str, Disagreement], done: Mended) -> None:
    names: dict[str, list[str]] = {}
    for key in damaged:
        if match := _DATASET.fullmatch(key.removeprefix(f"{RECORDS}/")):
            names.setdefault(match[1], []).append(key)
    for name, keys in names.items():
        problems = {damaged.pop(key).problem for key in keys}
        only_record = problems <= {"record", "unrecorded"} and {*map(_name_in, keys)} == {dataset_key(name)}
        if only_record and _rewrite_dataset_record(objects, name):
            done.written.append(record_key(dataset_key(name)))
            continue
        gone = [key for key in keys if not key.startswith(f"{RECORDS}/")]
        withdraw(objects, dataset_key(name), [*gone, record_key(sounds_name(name)), dataset_key(name)])
        done.withdrawn.append(f"datasets/{name}")


def _name_in(key: str) -> str:
    """The object that a record is named after, given the key of either."""
    return recorded_name(key) if key.startswith(f"{RECORDS}/") else key


def _rewrite_dataset_record(objects: ObjectStore, name: str) -> bool:
    """The document of a dataset proves itself and names all its files."""
    key = dataset_key(name)
    try:
        record = dataset_record(name, opened_json(objects.get(key), key))
    except (CorruptData, NotFound):
        return False
    objects.put(record_key(key), encode_record(record))
    return True


def _withdraw_parts(objects: ObjectStore, damaged: dict[str, Disagreement], done: Mended) -> None:
    """Results with the sounds they are about, caches, states: whatever names a damaged object goes too."""
    gone = {key for key in damaged if not key.startswith(f"{RECORDS}/")}
    names = {recorded_name(key) for key in damaged if key not in gone}
    names |= {name for name, record in _sound_records(objects) if gone & _keys_of(record)}
    names |= {key for key in gone if is_recorded(objects, key)}
    named = {name: _keys_of(record) for name, record in _sound_records(objects) if name in names}
    for name in sorted(names):
        withdraw(objects, name, [*sorted(gone & named.get(name, set())), name])
        done.withdrawn.append(name)
    for key in sorted(gone - names):
        objects.delete(key)
        done.withdrawn.append(key)


def _sound_records(objects: ObjectStore) -> list[tuple[str, Record]]:
    """Every sound record below results/: a part may name more than itself."""
    every = all_records(objects, "results")
    return [(name, record) for name, record in every if isinstance(record, Record)]


def _keys_of(record: Record) -> set[str]:
    return {entry.key for entry in record.entries}
