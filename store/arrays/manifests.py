"""Manifests: Parquet files that stand for the commit markers of many units, so that few objects need be read.

Units are counted in groups of `GROUP_UNITS`; a manifest says what the markers of the first so many units of a
group say. It stands once its record does; only then the markers that it covers are deleted, and a smaller
manifest of the group. So a reader that lists markers first and records then sees every unit at any moment.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import pyarrow as pa

from store.arrays.commits import SCHEMA, Commits
from store.arrays.layout import marker_key
from store.arrays.markers import encode_marker
from store.arrays.plan import Plan
from store.errors import CorruptData, NotFound
from store.format_version import FORMAT_KEY, VERSION, stored_version, write_format
from store.objects.ledger import (
    Entry,
    Record,
    committed_entry,
    place,
    read_entry,
    record_key,
    recorded_names,
    write_record,
)
from store.objects.parquet import parquet_bytes, parquet_table
from store.objects.protocol import Buffer, ObjectStore

KIND = "commits"
GROUP_UNITS = 1024
STEP_UNITS = 64
"""So many units more at the head of a group give it a larger manifest; about as many markers stand alone."""
MOST_LOOSE = 16
"""So many markers of one group may stand alone once everything is committed."""
_KEY = re.compile(r".+/commits/(\d+)-(\d+)\.parquet")
_MARKER = re.compile(r".+/commits/unit-(\d+)\.json")


@dataclass(frozen=True, slots=True, order=True)
class Manifest:
    """What the key of a manifest tells."""

    group: int
    units: int
    """How many units of the group it covers, from the first."""
    key: str

    def covers(self, number: int) -> bool:
        """Whether it says what the marker of a unit says."""
        return 0 <= number - self.group * GROUP_UNITS < self.units


def manifest_of(key: str) -> Manifest | None:
    """The manifest with this key; None where it is the key of something else."""
    match = _KEY.fullmatch(key)
    return Manifest(int(match[1]), int(match[2]), key) if match else None


def manifest_key(prefix: str, group: int, units: int) -> str:
    """Key of the manifest of the first so many units of a group."""
    return f"{prefix}/commits/{group:06d}-{units:04d}.parquet"


def unit_number(key: str) -> int:
    """Number of the unit whose marker has this key, -1 where it is none."""
    match = _MARKER.fullmatch(key)
    return int(match[1]) if match else -1


class Standing:
    """The manifests of a collection that count: of each group the largest that a record names."""

    def __init__(self, keys: Iterable[str]) -> None:
        found = sorted(manifest for key in keys if (manifest := manifest_of(key)))
        self.by_group: Mapping[int, Manifest] = {manifest.group: manifest for manifest in found}

    def covers(self, key: str) -> bool:
        """Whether a marker, or a smaller manifest, is one that need not stand."""
        if (smaller := manifest_of(key)) is not None:
            larger = self.by_group.get(smaller.group)
            return larger is not None and larger.units >= smaller.units
        return self.covers_unit(unit_number(key))

    def covers_unit(self, number: int) -> bool:
        """Whether one of them says what the marker of a unit says."""
        manifest = self.by_group.get(number // GROUP_UNITS)
        return manifest is not None and manifest.covers(number)


def standing(objects: ObjectStore, prefix: str) -> Standing:
    """What stands now; to be asked after the markers were listed."""
    return Standing(recorded_names(objects, f"{prefix}/{KIND}"))


def decode_manifest(data: Buffer, where: str) -> pa.Table:
    """The table of a manifest; raises `CorruptData` naming the place where it lies."""
    table = parquet_table(data, where)
    if not table.schema.equals(SCHEMA):
        raise CorruptData(f"{where} is no manifest of commits: run `undertone repair`.")
    return table


def is_manifest(data: Buffer) -> bool:
    """Whether bytes are a whole manifest, whose pages agree with their checksums."""
    try:
        decode_manifest(data, "")
    except CorruptData:
        return False
    return True


def compact(
    objects: ObjectStore, prefix: str, plan: Plan, commits: Commits, present: Iterable[str], *, whole: bool
) -> int:
    """Write manifests of what is committed at the head of groups, then delete what they cover.

    Returns how many are new: of groups that are full now, and of those that grew by `STEP_UNITS`.

    Args:
        objects: the store.
        prefix: of the collection.
        plan: its units.
        commits: what their markers say, compared with the plan.
        present: keys of the markers and manifests that were listed.
        whole: whether all is committed: then few markers of the last group may stand alone.
    """
    before, written = standing(objects, prefix), 0
    for group in range(-(-len(plan) // GROUP_UNITS)):
        unit_ids = plan.unit_ids[group * GROUP_UNITS : (group + 1) * GROUP_UNITS]
        covered = before.by_group.get(group)
        head = list(takewhile(commits.__contains__, unit_ids))
        loose = len(head) - (covered.units if covered else 0)
        is_full = len(head) == GROUP_UNITS
        if loose >= (1 if is_full else MOST_LOOSE + 1 if whole else STEP_UNITS):
            _raise_format(objects)
            _write(objects, manifest_key(prefix, group, len(head)), commits, head)
            written += 1
    _delete_covered(objects, standing(objects, prefix), present)
    return written


def _write(objects: ObjectStore, key: str, commits: Commits, unit_ids: Sequence[str]) -> None:
    rows = pa.array([commits.place[unit_id] for unit_id in unit_ids], pa.int64())
    table = commits.table.take(rows).combine_chunks()

    def says_the_same(data: bytes) -> bool:
        try:
            return bool(decode_manifest(data, key).equals(table))
        except CorruptData:
            return False

    entry = place(objects, key, parquet_bytes(table), sound=says_the_same)
    write_record(objects, Record(key, KIND, (entry,)))


def _raise_format(objects: ObjectStore) -> None:
    """Earlier versions do not know manifests, and would take the units for missing: they are to refuse."""
    if objects.exists(FORMAT_KEY) and stored_version(objects) < VERSION:
        write_format(objects)


def _delete_covered(objects: ObjectStore, stands: Standing, present: Iterable[str]) -> None:
    """Markers whose manifest stands, and manifests that a larger one replaces, these after their records."""
    kept = {manifest.key for manifest in stands.by_group.values()}
    covered = [key for key in present if key not in kept and stands.covers(key)]
    smaller = [key for key in covered if manifest_of(key)]
    objects.delete_all([record_key(key) for key in smaller])
    objects.delete_all(covered)


def covered_keys(objects: ObjectStore, prefix: str) -> list[str]:
    """Keys of markers and smaller manifests in the place of which a manifest stands that can be read."""
    versions = dict(objects.versions(f"{prefix}/commits"))
    stands = standing(objects, prefix)
    kept = {manifest.key for manifest in stands.by_group.values()}
    covered = [key for key in versions if key not in kept and stands.covers(key)]
    groups = {_group_of(key) for key in covered}
    whole = {group for group in groups if _can_be_read(objects, stands.by_group[group].key)}
    return [key for key in covered if _group_of(key) in whole]


def remove_covered(objects: ObjectStore, prefix: str) -> int:
    """Delete them, as the driver that was killed would have; returns how many there were."""
    keys = covered_keys(objects, prefix)
    _delete_covered(objects, standing(objects, prefix), keys)
    return len(keys)


def _group_of(key: str) -> int:
    manifest = manifest_of(key)
    return manifest.group if manifest else unit_number(key) // GROUP_UNITS


def _can_be_read(objects: ObjectStore, key: str) -> bool:
    try:
        read_manifest(objects, key)
    except (NotFound, CorruptData):  # then the markers are the only ones that say it
        return False
    return True


def expand(
    objects: ObjectStore, prefix: str, plan: Plan, tables: Mapping[str, pa.Table], unit_ids: Iterable[str]
) -> None:
    """Before units are withdrawn: let markers stand for the other units of their manifests, and these go.

    Args:
        objects: the store.
        prefix: of the collection.
        plan: its units.
        tables: the manifests that stand, by key.
        unit_ids: of the units that are to be withdrawn.
    """
    withdrawn = set(unit_ids)
    for key, table in tables.items():
        commits = Commits(table)
        if withdrawn.isdisjoint(commits.unit_ids):
            continue
        for unit_id in commits.unit_ids:
            if unit_id not in withdrawn:
                marker = commits.marker(unit_id, plan.clip_ids_of(plan.number[unit_id]))
                objects.put(marker_key(prefix, unit_id), encode_marker(marker))
        take_away(objects, key)


def take_away(objects: ObjectStore, key: str) -> None:
    """Let a manifest stand no more: first its record goes."""
    objects.delete(record_key(key))
    objects.delete(key)


def units_of(key: str) -> range:
    """Numbers of the units that a manifest covers, by its key."""
    manifest = manifest_of(key)
    first = manifest.group * GROUP_UNITS if manifest else 0
    return range(first, first + manifest.units if manifest else 0)


def read_manifest(objects: ObjectStore, key: str, entry: Entry | None = None) -> pa.Table:
    """The table of a manifest, checked by `entry` or what its own record says.

    Raises:
        NotFound: it has no record.
        CorruptData: it, or its record, is damaged or gone.
    """
    found = entry or committed_entry(objects, key)
    return decode_manifest(read_entry(objects, found), f"{objects.url}/{key}")
