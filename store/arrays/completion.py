"""Completion records: once every unit is committed, one record names all that says so, that none may vanish.

It names the manifests that stand, and the markers beside them. There is one for each length of the plan that
was completed. What it names may be gone where a manifest stands that covers it: it was compacted since.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from store.arrays.layout import marker_key
from store.arrays.manifests import manifest_of, standing, unit_number
from store.errors import CorruptData, NotFound
from store.objects.concurrency import map_concurrently
from store.objects.ledger import (
    CURE,
    Entry,
    Record,
    entry_of,
    is_recorded,
    read_record,
    record_key,
    recorded_names,
    write_record,
)
from store.objects.protocol import ObjectStore

KIND = "complete"


def completion_name(prefix: str, units: int) -> str:
    """Name of the completion record for a plan of so many units."""
    return f"{prefix}/complete/{units:06d}"


def is_completed(objects: ObjectStore, prefix: str) -> bool:
    """Whether a record says that everything was committed that was planned then."""
    return bool(recorded_names(objects, f"{prefix}/{KIND}"))


def note_completion(objects: ObjectStore, prefix: str, unit_ids: Sequence[str]) -> None:
    """Name every manifest and marker of a complete collection, unless that is done."""
    name = completion_name(prefix, len(unit_ids))
    if is_recorded(objects, name):
        return
    stands = standing(objects, prefix)
    keys = [manifest.key for manifest in stands.by_group.values()]
    keys += [key for unit_id in unit_ids if not stands.covers(key := marker_key(prefix, unit_id))]
    entries = map_concurrently(
        lambda key: entry_of(key, objects.get(key)), keys, threads=objects.read_threads
    )
    write_record(objects, Record(name, KIND, tuple(entries)))


def completed_entries(objects: ObjectStore, prefix: str, recorded: Sequence[str]) -> dict[str, Entry]:
    """What must be there or covered, by key; to be read before the markers are listed."""
    names = [name for name in recorded if name.startswith(f"{prefix}/{KIND}/")]
    if not names:
        return {}
    try:
        return {entry.key: entry for entry in read_record(objects, names[-1]).entries}
    except NotFound:  # withdrawn since it was listed
        return {}


def check_completion(url: str, prefix: str, gone: Sequence[str]) -> None:
    """Raise `CorruptData` where something is gone that a completion record names."""
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        raise CorruptData(
            f"{url}/{gone[0]}{more}: the marker is gone although {prefix} was complete: {CURE}."
        )


def withdraw_completions(objects: ObjectStore, prefix: str, unit_ids: Iterable[str]) -> None:
    """Before units are withdrawn: take away every completion record that names one, or that is damaged."""
    keys = {marker_key(prefix, unit_id) for unit_id in unit_ids}
    for name in recorded_names(objects, f"{prefix}/complete"):
        if _names_any(objects, name, keys):
            objects.delete(record_key(name))


def _names_any(objects: ObjectStore, name: str, keys: AbstractSet[str]) -> bool:
    try:
        named = [entry.key for entry in read_record(objects, name).entries]
    except CorruptData:
        return True
    manifests = [manifest for key in named if (manifest := manifest_of(key))]
    numbers = [unit_number(key) for key in keys]
    return not keys.isdisjoint(named) or any(one.covers(number) for one in manifests for number in numbers)
