"""Completion records: once every unit is committed, one record names all markers, so that none can vanish.

There is one for each length of the plan that was completed; the longest names all the others do.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from store.arrays.layout import marker_key
from store.errors import CorruptData, NotFound
from store.objects.concurrency import map_concurrently
from store.objects.ledger import (
    CURE,
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


def note_completion(objects: ObjectStore, prefix: str, unit_ids: Sequence[str]) -> None:
    """Name every marker of a complete collection, unless that is done."""
    name = completion_name(prefix, len(unit_ids))
    if is_recorded(objects, name):
        return
    keys = [marker_key(prefix, unit_id) for unit_id in unit_ids]
    entries = map_concurrently(
        lambda key: entry_of(key, objects.get(key)), keys, threads=objects.read_threads
    )
    write_record(objects, Record(name, KIND, tuple(entries)))


def completed_markers(objects: ObjectStore, prefix: str) -> list[str]:
    """Keys of the markers that must be there; to be read before the markers are listed."""
    names = recorded_names(objects, f"{prefix}/complete")
    if not names:
        return []
    try:
        return [entry.key for entry in read_record(objects, names[-1]).entries]
    except NotFound:  # withdrawn since it was listed
        return []


def check_completion(url: str, prefix: str, named: Sequence[str], present: Mapping[str, str]) -> None:
    """Raise `CorruptData` where a marker is gone that a completion record names."""
    gone = [key for key in named if key not in present]
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
        return any(entry.key in keys for entry in read_record(objects, name).entries)
    except CorruptData:
        return True
