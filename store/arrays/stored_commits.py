"""Read what is committed of a collection, from markers and manifests, while drivers write and compact."""

import time
from collections.abc import Callable, Sequence

import pyarrow as pa

from store.arrays.commits import SCHEMA, Commits, digest_of_ids, with_markers
from store.arrays.completion import check_completion, completed_entries
from store.arrays.layout import marker_key
from store.arrays.manifests import Standing, read_manifest, standing, unit_number
from store.arrays.markers import Marker
from store.errors import CorruptData, NotFound
from store.objects.concurrency import map_concurrently
from store.objects.ledger import Entry, is_recorded, recorded_names
from store.objects.protocol import ObjectStore
from store.records import Unit

LOOKS = 5
"""So often the listings are made again where something of them vanished: it was compacted just then."""
LISTING_SECONDS = 10.0
ReadMarker = Callable[[str], Marker | None]


class StoredCommits:
    """The commits of one collection as they stand; what was read before is not read again."""

    def __init__(self, objects: ObjectStore, prefix: str) -> None:
        self._objects, self._prefix = objects, prefix
        self._versions: dict[str, str] = {}
        self._loose = Commits(SCHEMA.empty_table())
        self.manifests: dict[str, pa.Table] = {}
        """Those that stood at the last reading, by key."""
        self._last: tuple[str, Commits] | None = None
        self._listing: tuple[float, frozenset[str], Standing] | None = None

    @property
    def present(self) -> Sequence[str]:
        """Keys of markers and manifests that were listed last."""
        return list(self._versions)

    def read(self, read_marker: ReadMarker) -> Commits:
        """Every committed unit.

        Records are listed before and after the markers: a manifest takes the place of markers, or, where
        units of it are withdrawn, markers that of a manifest, and either may happen between two listings.

        Raises `CorruptData` for what is damaged, or gone although a record names it.
        """
        gone: list[str] = []
        for look in range(LOOKS):
            last = look == LOOKS - 1
            names = recorded_names(self._objects, self._prefix)
            named = completed_entries(self._objects, self._prefix, names)
            versions = dict(self._objects.versions(f"{self._prefix}/commits"))
            stands = standing(self._objects, self._prefix)
            if Standing(names).by_group.keys() - stands.by_group.keys() and not last:
                continue
            read_all = self._read_manifests(stands, named, last=last)
            read_all &= self._read_loose(stands, versions, read_marker)
            gone = [key for key in named if key not in versions and not stands.covers(key)]
            if read_all and not gone:
                break
        check_completion(self._objects.url, self._prefix, gone)
        tables = [*self.manifests.values(), self._loose.table]
        return Commits(pa.concat_tables(tables).sort_by("first_row"))

    def has(self, unit_id: str) -> bool:
        """Whether a unit is committed now. Its marker is looked for first: a manifest may take its place."""
        key = marker_key(self._prefix, unit_id)
        return self._objects.exists(key) or standing(self._objects, self._prefix).covers(key)

    def had(self, unit_id: str) -> bool:
        """Whether a unit was committed when that was listed last, at most `LISTING_SECONDS` ago."""
        now, key = time.monotonic(), marker_key(self._prefix, unit_id)
        if self._listing is None or now - self._listing[0] > LISTING_SECONDS:
            keys = frozenset(key for key, _ in self._objects.list(f"{self._prefix}/commits"))
            self._listing = now, keys, standing(self._objects, self._prefix)
        return key in self._listing[1] or self._listing[2].covers(key)

    def in_manifest(self, unit: Unit) -> Marker | None:
        """What a manifest says of a unit that has no marker of its own; the manifest read last is kept."""
        number = unit_number(marker_key(self._prefix, unit.unit_id))
        stands = standing(self._objects, self._prefix)
        if not stands.covers_unit(number):
            return None
        commits = self._one(max(one for one in stands.by_group.values() if one.covers(number)).key)
        clip_ids = [clip.clip_id for clip in unit.clips]
        row = commits.table.slice(commits.place[unit.unit_id], 1).to_pylist()[0]
        if (row["first_row"], row["clips_sha256"]) != (unit.first_row, digest_of_ids(clip_ids)):
            raise CorruptData(
                f"{self._prefix}/commits: the clips of {unit.unit_id} are not those of the plan: "
                "run `undertone repair`."
            )
        return commits.marker(unit.unit_id, clip_ids)

    def _one(self, key: str) -> Commits:
        if self._last is None or self._last[0] != key:
            self._last = key, Commits(read_manifest(self._objects, key))
        return self._last[1]

    def _read_manifests(self, stands: Standing, named: dict[str, Entry], *, last: bool) -> bool:
        """Whether all could be read; one that a larger one replaces just now vanishes."""
        keys = [manifest.key for manifest in stands.by_group.values()]
        new = [key for key in keys if key not in self.manifests]
        try:
            read = map_concurrently(
                lambda key: read_manifest(self._objects, key, named.get(key)),
                new,
                threads=self._objects.read_threads,
            )
        except (NotFound, CorruptData):
            if last or all(is_recorded(self._objects, key) for key in new):
                raise
            return False
        found = self.manifests | dict(zip(new, read, strict=True))
        self.manifests = {key: found[key] for key in keys}
        return True

    def _read_loose(self, stands: Standing, versions: dict[str, str], read_marker: ReadMarker) -> bool:
        """Whether all could be read; one that is compacted, or withdrawn, just now vanishes."""
        loose = [key for key in versions if key.endswith(".json") and not stands.covers(key)]
        new = [key for key in loose if self._versions.get(key) != versions[key]]
        read = map_concurrently(read_marker, new, threads=self._objects.read_threads)
        same = set(loose) - set(new)
        kept = [marker_key(self._prefix, unit_id) in same for unit_id in self._loose.unit_ids]
        table = self._loose.table.filter(pa.array(kept, pa.bool_()))
        self._loose = with_markers(Commits(table), [marker for marker in read if marker])
        gone = {key for key, marker in zip(new, read, strict=True) if marker is None}
        self._versions = {key: version for key, version in versions.items() if key not in gone}
        return not gone
