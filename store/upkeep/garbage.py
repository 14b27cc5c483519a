"""Find and remove litter of killed commands, and caches that can be made again.

Nothing is touched that a command may be writing: heartbeats must be stale, files without a record old, and
each find is looked at once more before it goes. Caches lose their record first: a reader makes them again.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from store.arrays.layout import document_key
from store.arrays.manifests import covered_keys, remove_covered
from store.datasets import dataset_key
from store.errors import Conflict, CorruptData, NotFound
from store.heartbeats import CLAIMS, heartbeat_ages, refuse_if_at_work
from store.objects.concurrency import map_concurrently
from store.objects.ledger import is_recorded, main_of, record_key, recorded_names
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json
from store.results.generated_audio import sound_keys
from store.run_names import collection_names
from store.upkeep.removal import remove_collection, take_away
from store.upkeep.usage import FACTORS, temporary_files

KINDS = ("runs", "codes", "features")
DEAD_SECONDS = 600.0
"""A command that was not heard of for so long is dead, whatever its clock says."""
HALF_WRITTEN_SECONDS = 3600.0
DAY_SECONDS = 86_400.0

HALF_WRITTEN = "half-written files"
HEARTBEAT = "heartbeats of the dead"
LEFTOVER = "left by killed commands"
UNNAMED_FILE = "files of datasets without a record"
COVERED = "markers that a manifest took the place of"
UNNAMED_SOUND = "sounds no result is about"
UNNAMED_CACHE = "caches without a record"
UNNAMED_RESULT = "results without a record"
STATE = "k-means that nobody went on with"
MOMENTS = "moments over the budget"
FACTOR = "factors over the budget"
FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked for beside litter."""

    older_than_days: float = 7.0
    """Files of interrupted commands are litter then; before, the same command goes on with them."""
    budget_bytes: int | None = None
    """What moments and factors may take; None leaves them."""
    features: bool = False
    """Whether features go, which are computed from the audio again."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """One thing that may go."""

    kind: str
    key: str
    """Of an object, or of a folder where a whole collection or dataset is left over."""
    files: int
    nbytes: int


def find_garbage(objects: ObjectStore, wanted: Wanted) -> list[Garbage]:
    """Everything that may go now."""
    limit = time.time() - wanted.older_than_days * DAY_SECONDS
    found = [*_half_written(objects), *_dead_heartbeats(objects), *_leftovers(objects, limit)]
    found += [*_unnamed_files(objects, limit), *_unnamed(objects, limit), *_covered(objects)]
    if wanted.budget_bytes is not None:
        found += _over_budget(objects, wanted.budget_bytes)
    if wanted.features:
        found += _features(objects)
    return found


def collect(objects: ObjectStore, found: list[Garbage]) -> list[Garbage]:
    """Take it away; returns what went. What a command has begun to use since stays."""
    went = map_concurrently(partial(_collect_one, objects), found, threads=objects.read_threads)
    return [garbage for garbage, gone in zip(found, went, strict=True) if gone]


def _collect_one(objects: ObjectStore, garbage: Garbage) -> bool:
    if garbage.kind == HALF_WRITTEN:
        return objects.sweep(HALF_WRITTEN_SECONDS) >= 0
    if garbage.kind == HEARTBEAT:
        return _rest(objects, garbage.key)
    if garbage.kind in (LEFTOVER, FEATURES):
        return _remove_folder(objects, garbage)
    if garbage.kind == COVERED:
        return _remove_covered(objects, garbage)
    if garbage.kind == UNNAMED_FILE and garbage.key in _named_files(objects, garbage.key.split("/")[1]):
        return False
    if garbage.kind in (UNNAMED_SOUND, UNNAMED_CACHE, UNNAMED_RESULT) and is_recorded(objects, garbage.key):
        return False
    objects.delete(record_key(garbage.key))
    objects.delete(garbage.key)
    return True


def _rest(objects: ObjectStore, key: str) -> bool:
    prefix = key.rsplit("/", 2)[0]
    if heartbeat_ages(objects, prefix).get(key, 0.0) < DEAD_SECONDS:
        return False
    objects.delete(key)
    return True


def _remove_folder(objects: ObjectStore, garbage: Garbage) -> bool:
    try:
        if garbage.kind == FEATURES:
            remove_collection(objects, garbage.key)
            return True
        refuse_if_at_work(objects, garbage.key)
    except Conflict:
        return False
    if _belongs_to_something(objects, garbage.key):
        return False
    take_away(objects, garbage.key)
    return True


def _remove_covered(objects: ObjectStore, garbage: Garbage) -> bool:
    try:
        refuse_if_at_work(objects, garbage.key)
    except Conflict:
        return False
    return remove_covered(objects, garbage.key) > 0


def _half_written(objects: ObjectStore) -> list[Garbage]:
    limit = time.time() - HALF_WRITTEN_SECONDS
    sizes = [status.st_size for status in temporary_files(objects) if status.st_mtime < limit]
    return [Garbage(HALF_WRITTEN, "", len(sizes), sum(sizes))] if sizes else []


def _dead_heartbeats(objects: ObjectStore) -> Iterator[Garbage]:
    for prefix in (f"{kind}/{name}" for kind in (*KINDS, CLAIMS) for name in objects.folders(kind)):
        for key, age in heartbeat_ages(objects, prefix).items():
            if age >= DEAD_SECONDS:
                yield Garbage(HEARTBEAT, key, 1, objects.size(key) or 0)


def _leftovers(objects: ObjectStore, limit: float) -> Iterator[Garbage]:
    """Folders of collections and datasets that neither a record nor a document stands for."""
    for prefix in (f"{kind}/{name}" for kind in ("datasets", *KINDS) for name in objects.folders(kind)):
        if _belongs_to_something(objects, prefix):
            continue
        newest = max((at for _, at in objects.written(prefix)), default=0.0)
        if newest < limit:
            sizes = [size for _, size in objects.list(prefix)]
            yield Garbage(LEFTOVER, prefix, len(sizes), sum(sizes))


def _unnamed_files(objects: ObjectStore, limit: float) -> Iterator[Garbage]:
    """Files of datasets that a command wrote which was killed, or slower than another that added at once."""
    for name in objects.folders("datasets"):
        found = [(key, at) for key, at in objects.written(f"datasets/{name}") if main_of(key) != key]
        old = {key for key, at in found if at < limit}
        if not old or not _belongs_to_something(objects, f"datasets/{name}"):  # else all of it is left over
            continue
        for key in sorted(old - _named_files(objects, name)):
            yield Garbage(UNNAMED_FILE, key, 1, objects.size(key) or 0)


def _named_files(objects: ObjectStore, name: str) -> set[str]:
    """Files that a record of a dataset names, or a document whose record is lost or about to be written.

    Of a version of which one of these cannot be read all files are named: nobody knows.
    """
    named: set[str] = set()
    for key, _ in objects.list(f"datasets/{name}"):
        main = main_of(key)
        if main == key:
            continue
        try:
            entries = [entry["key"] for entry in opened_json(objects.get(main), main)["files"]]
        except NotFound:
            entries = [key] if is_recorded(objects, main) else []
        except (CorruptData, LookupError, TypeError):
            entries = [key]
        named |= set(entries)
    return named


def _belongs_to_something(objects: ObjectStore, prefix: str) -> bool:
    """Whether there is a document, or a record of one: where one of them lacks, `undertone repair` helps."""
    kind, _, name = prefix.partition("/")
    key = dataset_key(name) if kind == "datasets" else document_key(prefix)
    return objects.exists(key) or is_recorded(objects, key)


def _covered(objects: ObjectStore) -> Iterator[Garbage]:
    """What a driver would have deleted that was killed as it compacted; one at work does so itself."""
    for prefix in (f"{kind}/{name}" for kind in KINDS for name in objects.folders(kind)):
        try:
            refuse_if_at_work(objects, prefix)
        except Conflict:
            continue
        if keys := covered_keys(objects, prefix):
            sizes = dict(objects.list(f"{prefix}/commits"))
            yield Garbage(COVERED, prefix, len(keys), sum(sizes.get(key, 0) for key in keys))


def _unnamed(objects: ObjectStore, limit: float) -> Iterator[Garbage]:
    """Old results, sounds, caches and states; those without a record, and states nobody went on with."""
    named = sound_keys(objects)
    for folder, kind in (("audio", UNNAMED_SOUND), ("moments", UNNAMED_CACHE), ("state", STATE)):
        sizes = dict(objects.list(folder))
        for key, at in objects.written(folder):
            if at < limit and key not in named and (kind == STATE or not is_recorded(objects, key)):
                yield Garbage(kind, key, 1, sizes.get(key, 0))
    results = list(objects.written("results"))
    recorded = set(recorded_names(objects, "results"))  # listed after them: one that is written now is in it
    for key, at in results:
        if at < limit and key not in recorded:
            yield Garbage(UNNAMED_RESULT, key, 1, objects.size(key) or 0)


def _over_budget(objects: ObjectStore, budget_bytes: int) -> Iterator[Garbage]:
    """The moments and factors that were written longest ago, until the rest fits."""
    sizes = dict(objects.list("moments"))
    total = sum(sizes.values())
    for key, _ in sorted(objects.written("moments"), key=lambda item: item[1]):
        if total <= budget_bytes:
            return
        if is_recorded(objects, key):
            total -= sizes.get(key, 0)
            yield Garbage(FACTOR if FACTORS in key else MOMENTS, key, 1, sizes.get(key, 0))


def _features(objects: ObjectStore) -> Iterator[Garbage]:
    for name in collection_names(objects, "features"):
        prefix = f"features/{name}"
        try:
            refuse_if_at_work(objects, prefix)
        except Conflict:
            continue
        sizes = [size for _, size in objects.list(prefix)]
        yield Garbage(FEATURES, prefix, len(sizes), sum(sizes))
