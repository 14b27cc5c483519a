"""A collection: arrays that share a plan and commit markers, below one prefix (a run, codes, features)."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from store.arrays.commits import STATES, Commits, statuses_of, with_markers
from store.arrays.completion import note_completion
from store.arrays.document import check_same, whole_document
from store.arrays.document_checks import collection_layouts
from store.arrays.encodings import SCALE, from_bfloat16, from_int8, shown_arrays
from store.arrays.known_fields import Fields
from store.arrays.layout import (
    ArrayLayout,
    check_name,
    document_key,
    group_key,
    marker_key,
)
from store.arrays.manifests import compact
from store.arrays.markers import Marker, check_marker, read_marker
from store.arrays.passes import in_order, shuffled
from store.arrays.plan import (
    Clips,
    Plan,
    UnitsToCome,
    append_part,
    clip_table,
    part_keys,
    part_table,
    place_part,
    plan_digest,
    read_part,
    stored_clips,
    unit_starts,
)
from store.arrays.reader import CheckedChunks, Rows, read_rows
from store.arrays.rows import RowIndex, index_rows
from store.arrays.shards import Array
from store.arrays.stored_commits import StoredCommits
from store.arrays.writer import Destination, PendingUnit
from store.arrays.zarr_metadata import grow_arrays, write_group
from store.errors import CorruptData, InvalidInput, MissingRows, NotFound
from store.heartbeats import beat, heartbeat_age_seconds, heartbeat_key
from store.objects.ledger import (
    Record,
    is_recorded,
    place,
    read_committed,
    read_record,
    recorded_names,
    write_record,
)
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.records import ArraySpec, ClipState, ClipStatus, Unit

if TYPE_CHECKING:
    import xarray
    import zarr

UNIT_CLIPS = 64


class Collection:
    """Reads and writes one collection. Plan and markers are read once and kept until `refresh`."""

    def __init__(self, objects: ObjectStore, prefix: str, document: dict[str, Any]) -> None:
        self.objects = objects
        self.prefix = prefix
        place = f"{objects.url}/{document_key(prefix)}"
        self.layouts = collection_layouts(document, place)
        self.document: dict[str, Any] = Fields(document, place)
        """The content of run.json (codes.json …), arrays included; absent fields raise `CorruptData`."""
        self.unit_clips: int = document["unit_clips"]
        self.arrays = shown_arrays(self.layouts)
        self.group = group_key(prefix)
        self._plan: Plan | None = None
        self._commits: Commits | None = None
        self._own: dict[str, Marker] = {}
        """Committed through this object since the markers were read."""
        self._stored = StoredCommits(objects, prefix)
        self._index: RowIndex | None = None
        self._checked = {name: CheckedChunks() for name in self.layouts}
        self._state = RLock()
        """Held while what is kept is read or replaced: threads share a collection."""

    def plan(self) -> Plan:
        """The plan, supplementary units included, as of the last `refresh`."""
        with self._state:
            if self._plan is None:
                keys = part_keys(self.objects, self.prefix)
                parts = [read_part(self.objects, key) for key in keys]
                if keys:
                    self._check_length(len(parts[0]))
                self._plan = Plan(parts)
            return self._plan

    def units(self) -> list[Unit]:
        """Every unit of the plan in order of rows, as objects: for plans that are small."""
        return list(self.plan().units())

    def commits(self) -> Commits:
        """What the commit markers say, as of the last `refresh` and this object's own commits."""
        with self._state:
            if self._commits is None:
                self._commits, self._own = self._stored.read(self._read_marker), {}
            elif self._own:
                self._commits = with_markers(self._commits, list(self._own.values()))
                self._own = {}
            return self._commits

    def markers(self) -> dict[str, Marker]:
        """The same of all units of the plan as objects, by unit id: for plans that are small."""
        plan, commits = self.plan(), self.commits()
        known = [(unit_id, plan.number[unit_id]) for unit_id in commits.unit_ids if unit_id in plan.number]
        return {unit_id: commits.marker(unit_id, plan.clip_ids_of(number)) for unit_id, number in known}

    def refresh(self) -> None:
        """List plan parts and markers anew."""
        with self._state:
            self._plan = None
            self._index = None
            if self._commits is not None:
                self._commits, self._own = self._stored.read(self._read_marker), {}

    def is_committed(self, unit_id: str) -> bool:
        """Whether a unit is committed now, also by another process since the last `refresh`."""
        with self._state:
            known = unit_id in self._own or (self._commits is not None and unit_id in self._commits)
        return known or self._stored.has(unit_id)

    def is_committed_by_now(self, unit_id: str) -> bool:
        """The same as of some seconds ago, for one listing now and then: to be asked of unit after unit."""
        return self._stored.had(unit_id)

    def marker(self, unit: Unit) -> Marker:
        """The marker of one unit as it stands now; raises `NotFound`, `CorruptData`."""
        key = marker_key(self.prefix, unit.unit_id)
        try:
            marker = read_marker(self.objects, key)
        except NotFound:
            found = self._stored.in_manifest(unit)
            if found is None:
                raise
            return found
        check_marker(marker, unit, key)
        return marker

    def find_marker(self, unit: Unit) -> Marker | None:
        """The marker of one unit as it stands now, None where it is not committed; raises `CorruptData`."""
        try:
            return self.marker(unit)
        except NotFound:
            return None

    def read_unit(self, name: str, unit: Unit) -> Array:
        """All rows of a committed unit, (clips, *axes), failed ones as fill values; raises `MissingRows`."""
        if not self.is_committed(unit.unit_id):
            raise MissingRows(f"{unit.unit_id} of {self.prefix} is not committed.")
        return self.read_rows(name, np.arange(unit.first_row, unit.first_row + len(unit.clips)))

    def read_rows(self, name: str, rows: Rows) -> Array:
        """Rows by their numbers, (rows, *axes), by one who knows that they are committed.

        They are compared with their checksums, and nothing is remembered of that.
        """
        layout = self.layout(name)
        unknown = {array: CheckedChunks() for array in self.layouts}
        return self._decoded(name, rows, range(layout.parts), unknown).reshape(len(rows), *layout.spec.shape)

    def missing(self) -> UnitsToCome:
        """Units of the plan without a marker: what is left to do. They made as they are asked for."""
        plan, commits = self.plan(), self.commits()
        numbers = [number for number, unit_id in enumerate(plan.unit_ids) if unit_id not in commits]
        return UnitsToCome(plan, np.array(numbers, np.int64))

    def missing_units(self) -> list[Unit]:
        """The same as a list: for plans that are small."""
        return list(self.missing())

    def is_complete(self) -> bool:
        """Whether no unit is missing."""
        return not len(self.missing())

    def statuses(self) -> dict[str, ClipStatus]:
        """Status of every committed clip, by its newest committed row: objects, for plans that are small."""
        plan, commits, index = self.plan(), self.commits(), self.index()
        failures: dict[int, ClipStatus] = {}
        for row in commits.rows(["unit_id", "first_row", "states", "others"]):
            if row["others"] and row["unit_id"] in plan.number:
                said = statuses_of(row, plan.clip_ids_of(plan.number[row["unit_id"]]))
                failures |= {row["first_row"] + place: status for place, status in enumerate(said)}
        found = zip(index.clip_ids.to_pylist(), index.rows.tolist(), index.states.tolist(), strict=True)
        return {clip: failures.get(row) or ClipStatus(clip, STATES[state]) for clip, row, state in found}

    def counts(self) -> Counter[ClipState]:
        """How many committed clips are in each state."""
        counted = np.bincount(self.index().states, minlength=len(STATES)).tolist()
        return Counter(dict(zip(STATES, counted, strict=True)))

    def rows(self) -> pa.Table:
        """Columns clip_id, row, unit_id, state: the newest committed row of every clip, in plan order."""
        return self.index().table()

    def index(self) -> RowIndex:
        """The same as an object that resolves clip ids."""
        with self._state:
            if self._index is None:
                self._index = index_rows(self.prefix, self.plan(), self.commits())
            return self._index

    def append_units(
        self, clips: Clips, *, note: Mapping[str, Any] | None = None, is_new: bool = False
    ) -> list[Unit]:
        """Plan clips once more, or new ones, as units with rows of their own; for the driver alone.

        `note` stands in the record of this part of the plan; see `part_notes`.
        """
        self._plan = None
        first, table = len(self.plan()), clip_table(clips)
        if len(table):
            planned = part_table(table, self.unit_clips, first)
            units = first + len(unit_starts(table["uri"], self.unit_clips))
            grow_arrays(self.objects, self.group, self.layouts.values(), units * self.unit_clips)
            part = len(part_keys(self.objects, self.prefix))
            append_part(self.objects, self.prefix, part, planned, note or {}, is_new=is_new)
            self.refresh()
        return list(self.plan().units(range(first, len(self.plan()))))

    def part_notes(self) -> list[Mapping[str, Any]]:
        """What was noted of each part of the plan after the first, in order."""
        names = recorded_names(self.objects, f"{self.prefix}/plan")
        return [read_record(self.objects, name).payload for name in names]

    def compact(self, *, whole: bool = False) -> int:
        """Let manifests stand for markers, for drivers; of less than some dozen they are not worth it.

        With `whole` also of fewer, at the end. Returns how many are new.
        """
        with self._state:
            self._commits, self._own, self._index = self._stored.read(self._read_marker), {}, None
        plan, commits = self.plan(), self.commits()
        self.index()  # compares what the markers say with the plan
        return compact(self.objects, self.prefix, plan, commits, self._stored.present, whole=whole)

    def note_complete(self) -> None:
        """Where no unit is missing, write a record that names every marker: from then on none may vanish.

        Where there are many they are first compacted into manifests, which it names in their place.
        """
        self.refresh()
        if self.is_complete():
            self.compact(whole=True)
            note_completion(self.objects, self.prefix, self.plan().unit_ids)

    def begin(self, unit: Unit, *, provenance: Mapping[str, Any]) -> PendingUnit:
        """Start to write a unit; `provenance` (device, dtype, build, threads) goes into its marker."""
        destination = Destination(
            self.objects, self.prefix, self.group, self.layouts, self._stored.has, self.marker
        )
        return PendingUnit(destination, unit, provenance, self._keep)

    def beat(self, driver: str) -> None:
        """Say that a driver is at work on this collection; every driver has a heartbeat of its own."""
        beat(self.objects, self.prefix, driver)

    def rest(self, driver: str) -> None:
        """Say that a driver has ended."""
        self.objects.delete(heartbeat_key(self.prefix, driver))

    def heartbeat_age_seconds(self) -> float | None:
        """Seconds since the last beat of any driver that has not ended in order; None where there is none."""
        return heartbeat_age_seconds(self.objects, self.prefix)

    def note_attempt(self, unit_id: str) -> int:
        """Count one more attempt at a unit before it starts; returns how many there are now."""
        number, own = 1, [f"{uuid4().hex}\n".encode()]  # the same bytes would count as written by this call
        while not self.objects.create(f"{self.prefix}/attempts/{unit_id}.{number}", own):
            number += 1
        return number

    def attempts(self) -> dict[str, int]:
        """How often each unit was begun."""
        counts: dict[str, int] = {}
        for key, _ in self.objects.list(f"{self.prefix}/attempts"):
            unit_id = key.rsplit("/", 1)[-1].rsplit(".", 1)[0]
            counts[unit_id] = counts.get(unit_id, 0) + 1
        return counts

    def read_layer(
        self, name: str, layer: int, clip_ids: Sequence[str] | None = None, *, verify: bool = True
    ) -> tuple[Array, list[str]]:
        """One layer of the named clips, or of all clips that have numbers: (clips, *rest) and their ids.

        `layer` is the model's layer number; `verify` compares the numbers with their checksums. Raises
        `MissingRows` where a named clip has no numbers, `CorruptData` naming a file that is damaged.
        """
        part = self._part(name, layer)
        rows, ids = self.index().select(clip_ids)
        values = self._read(name, rows, range(part, part + 1), verify=verify)
        return values[:, 0], ids

    def read_layer_rows(self, name: str, layer: int, rows: Rows, *, verify: bool = True) -> Array:
        """One layer of rows by their numbers, (rows, *rest); see `index` for those that are valid."""
        part = self._part(name, layer)
        return self._read(name, rows, range(part, part + 1), verify=verify)[:, 0]

    def read_layer_rows_into(self, name: str, layer: int, rows: Rows, out: Array) -> None:
        """The same, checked, into memory (rows, *rest) of the caller; what is stored so is not copied."""
        layout, part = self.layout(name), self._part(name, layer)
        if layout.spec.dtype == "float32" and out.dtype == np.float32 and out.flags.c_contiguous:
            folder, checked = f"{self.group}/{name}", self._checked[name]
            read_rows(self.objects, folder, layout, rows, range(part, part + 1), checked, out[:, np.newaxis])
        else:
            out[...] = self.read_layer_rows(name, layer, rows)

    def read_clips(self, name: str, clip_ids: Sequence[str], *, verify: bool = True) -> Array:
        """All layers of the named clips, (clips, *axes); raises as `read_layer` does."""
        layout = self.layout(name)
        rows, _ = self.index().select(clip_ids)
        values = self._read(name, rows, range(layout.parts), verify=verify)
        return values.reshape(len(rows), *layout.spec.shape)

    def iter_layer(
        self,
        name: str,
        layer: int,
        *,
        block_clips: int,
        shuffle: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> Iterator[tuple[Array, list[str]]]:
        """Blocks of one layer: in plan order, or in the order that the number `shuffle` draws.

        The blocks do not depend on `world_size`. In plan order, and of a layer that fits into a buffer,
        worker `rank` gets every `world_size`-th block; of a larger layer that is shuffled every
        `world_size`-th buffer, so that no shard is read by two of them.
        """
        if block_clips < 1 or not 0 <= rank < world_size:
            raise InvalidInput(f"block_clips {block_clips} must be positive, rank {rank} below {world_size}.")
        part = self._part(name, layer)
        rows, ids = self.index().usable
        order = (
            in_order(len(rows), block_clips)
            if shuffle is None
            else shuffled(self.layout(name), rows, block_clips, shuffle)
        )
        for places, blocks in order.of_reader(rank, world_size):
            values = self._read(name, rows[places], range(part, part + 1), verify=True)[:, 0]
            for taken in blocks:
                block = values if shuffle is None else values[taken]
                yield block, ids.take(pa.array(places[taken])).to_pylist()

    def as_zarr(self) -> "zarr.Group":
        """The Zarr group, read-only; rows without a marker are to be left alone (see `rows`)."""
        from store.arrays.external import open_zarr

        return open_zarr(self.objects, self.group)

    def as_xarray(self, name: str) -> "xarray.DataArray":
        """An array of all committed clips that did not fail, lazily, with clip_id and layer coordinates."""
        from store.arrays.external import open_xarray

        rows, ids = self.index().select(None)
        layout, scales = self.layout(name), f"{name}{SCALE}"
        others = [other for other in self.layouts if other not in (name, scales)]
        return open_xarray(self.objects, self.group, layout, rows, ids, self.layers(name), others)

    def layout(self, name: str) -> ArrayLayout:
        """Layout of an array; raises `NotFound` naming the arrays there are."""
        if name not in self.layouts:
            raise NotFound(f"{self.prefix} has no array {name!r}; it has {', '.join(self.arrays)}.")
        return self.layouts[name]

    def layers(self, name: str) -> list[int]:
        """The model's layer numbers along the layer axis of an array; empty without such an axis."""
        spec = self.layout(name).spec
        if spec.dimensions[0] != "layer":
            return []
        return list(spec.attributes.get("layers", range(spec.shape[0])))

    def _check_length(self, planned: int) -> None:
        """Raise `CorruptData` unless the document says how many clips were planned first."""
        said = self.document["clips"]
        if planned != said:
            raise CorruptData(
                f"{self.objects.url}/{document_key(self.prefix)} says {said} clips, its plan has {planned}: "
                "restore it from a copy, or make it again."
            )

    def _read(self, name: str, rows: Rows, parts: range, *, verify: bool) -> Array:
        return self._decoded(name, rows, parts, self._checked if verify else None)

    def _decoded(
        self, name: str, rows: Rows, parts: range, checked: Mapping[str, CheckedChunks] | None
    ) -> Array:
        """Numbers (rows, parts, *rest), of encoded arrays as float32."""

        def stored(array: str) -> Array:
            known = None if checked is None else checked[array]
            return read_rows(self.objects, f"{self.group}/{array}", self.layouts[array], rows, parts, known)

        spec = self.layouts[name].spec
        if spec.dtype == "bfloat16":
            return from_bfloat16(stored(name))
        if spec.dtype == "int8":
            axis = 2 + self.layouts[name].rest_dimensions.index("time")
            return from_int8(stored(name), stored(f"{name}{SCALE}"), axis=axis)
        return stored(name)

    def _part(self, name: str, layer: int) -> int:
        layers = self.layers(name)
        if layer not in layers:
            stored = ", ".join(map(str, layers))
            raise NotFound(f"Layer {layer} is not in {name!r} of {self.prefix} (layers {stored}).")
        return layers.index(layer)

    def _read_marker(self, key: str) -> Marker | None:
        try:
            return read_marker(self.objects, key)
        except NotFound:  # withdrawn by `repair` since the listing
            return None

    def _keep(self, marker: Marker) -> None:
        """Remember an own commit beside markers that were read; a worker, who reads none, remembers none."""
        with self._state:
            if self._commits is not None:
                self._own[marker.unit_id] = marker
                self._index = None


def create_collection(
    objects: ObjectStore,
    prefix: str,
    *,
    document: Mapping[str, Any],
    arrays: Sequence[ArraySpec],
    clips: Clips,
    unit_clips: int = UNIT_CLIPS,
) -> Collection:
    """Write plan, arrays and document, or find them there already; their record, written last, seals them.

    Raises `Conflict` where the prefix holds another document or plan.
    """
    for name in prefix.split("/"):
        check_name(name, "a collection")
    table, key = clip_table(clips), document_key(prefix)
    if is_recorded(objects, key):
        existing = open_collection(objects, prefix)
        same = stored_clips(objects, prefix).equals(table)
        digest = existing.document["plan_sha256"] if same else plan_digest(table)
        check_same(prefix, existing.document, whole_document(document, arrays, table, unit_clips, digest))
        return existing
    whole = whole_document(document, arrays, table, unit_clips, plan_digest(table))
    collection = Collection(objects, prefix, whole)
    planned = part_table(table, unit_clips, 0)
    plan = place_part(objects, prefix, 0, planned)
    write_group(objects, collection.group)
    rows = len(unit_starts(table["uri"], unit_clips)) * unit_clips
    grow_arrays(objects, collection.group, collection.layouts.values(), rows)
    described = place(objects, key, sealed_json(whole), sound=partial(_is_document, key))
    made = {"created_at": time.time()}
    write_record(objects, Record(key, prefix.split("/", 1)[0], (described, plan), made))
    existing = open_collection(objects, prefix)
    check_same(prefix, existing.document, whole)
    return existing


def open_collection(objects: ObjectStore, prefix: str) -> Collection:
    """Open what `create_collection` wrote; raises `NotFound`."""
    key = document_key(prefix)
    return Collection(objects, prefix, opened_json(read_committed(objects, key), f"{objects.url}/{key}"))


def known_collection(objects: ObjectStore, prefix: str) -> Collection:
    """The same by its sealed document alone, for a worker whose driver has made it: half the requests."""
    key = document_key(prefix)
    return Collection(objects, prefix, opened_json(objects.get(key), f"{objects.url}/{key}"))


def _is_document(key: str, data: bytes) -> bool:
    try:
        return bool(opened_json(data, key))
    except CorruptData:
        return False
