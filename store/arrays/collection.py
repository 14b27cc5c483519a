"""A collection: arrays that share a plan and commit markers, below one prefix (a run, codes, features)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from store.arrays.completion import check_completion, completed_markers, note_completion
from store.arrays.document import check_same, whole_document
from store.arrays.document_checks import collection_layouts
from store.arrays.known_fields import Fields
from store.arrays.layout import (
    ArrayLayout,
    check_name,
    document_key,
    group_key,
    marker_key,
    plan_key,
)
from store.arrays.markers import Marker, check_marker, read_marker
from store.arrays.plan import append_part, cut_units, part_keys, place_part, read_part, rows_needed
from store.arrays.reader import CheckedChunks, Rows, read_rows
from store.arrays.rows import RowIndex, index_rows
from store.arrays.shards import Array
from store.arrays.writer import Destination, PendingUnit
from store.arrays.zarr_metadata import grow_arrays, write_group
from store.errors import CorruptData, InvalidInput, MissingRows, NotFound
from store.heartbeats import beat, heartbeat_age_seconds, heartbeat_key
from store.objects.concurrency import map_concurrently
from store.objects.ledger import Record, is_recorded, place, read_committed, write_record
from store.objects.protocol import ObjectStore
from store.objects.sealed import opened_json, sealed_json
from store.records import ArraySpec, ClipStatus, PlannedClip, Unit

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
        self.arrays = {name: layout.spec for name, layout in self.layouts.items()}
        self.group = group_key(prefix)
        self._parts: dict[str, list[Unit]] | None = None
        self._markers: dict[str, Marker] | None = None
        self._versions: dict[str, str] = {}
        self._index: RowIndex | None = None
        self._checked = {name: CheckedChunks() for name in self.layouts}
        self._state = RLock()
        """Held while what is kept is read or replaced: threads share a collection."""

    def units(self) -> list[Unit]:
        """Every unit of the plan, supplementary ones included, in order of rows."""
        with self._state:
            if self._parts is None:
                keys = part_keys(self.objects, self.prefix)
                parts = {key: read_part(self.objects, key) for key in keys}
                self._check_length(parts)
                self._parts = parts
            return [unit for part in self._parts.values() for unit in part]

    def markers(self) -> dict[str, Marker]:
        """The commit markers by unit id, as of the last `refresh` and this process's own commits."""
        with self._state:
            if self._markers is None:
                self._markers = self._read_new_markers({})
            return self._markers

    def refresh(self) -> None:
        """List plan parts and markers anew."""
        with self._state:
            self._parts = None
            self._index = None
            if self._markers is not None:
                self._markers = self._read_new_markers(self._markers)

    def is_committed(self, unit_id: str) -> bool:
        """Whether a unit has a marker now, also one that another process wrote since the last `refresh`."""
        return unit_id in self.markers() or self.objects.exists(marker_key(self.prefix, unit_id))

    def marker(self, unit: Unit) -> Marker:
        """The marker of one unit, read now if it is not known; raises `NotFound`, `CorruptData`."""
        key = marker_key(self.prefix, unit.unit_id)
        known = self.markers().get(unit.unit_id)
        marker = known if known is not None else read_marker(self.objects, key)
        check_marker(marker, unit, key)
        return marker

    def read_unit(self, name: str, unit: Unit) -> Array:
        """All rows of a committed unit, (clips, *axes), failed ones as fill values; raises `MissingRows`."""
        if not self.is_committed(unit.unit_id):
            raise MissingRows(f"{unit.unit_id} of {self.prefix} is not committed.")
        layout = self.layout(name)
        rows = np.arange(unit.first_row, unit.first_row + len(unit.clips))
        values = self._read(name, rows, range(layout.parts), verify=True)
        return values.reshape(len(rows), *layout.spec.shape)

    def missing_units(self) -> list[Unit]:
        """Units of the plan without a marker: what is left to do."""
        markers = self.markers()
        return [unit for unit in self.units() if unit.unit_id not in markers]

    def statuses(self) -> dict[str, ClipStatus]:
        """Status of every committed clip, by its newest committed row."""
        index = self.index()
        return dict(zip(index.clip_ids, index.statuses, strict=True))

    def rows(self) -> pa.Table:
        """Columns clip_id, row, unit_id, state: the newest committed row of every clip, in plan order."""
        return self.index().table()

    def index(self) -> RowIndex:
        """The same as an object that resolves clip ids."""
        with self._state:
            if self._index is None:
                self._index = index_rows(self.prefix, self.units(), self.markers())
            return self._index

    def append_units(self, clips: Sequence[PlannedClip]) -> list[Unit]:
        """Plan clips once more, as supplementary units with rows of their own; for the driver alone."""
        self._parts = None
        known = self.units()
        units = cut_units(clips, self.unit_clips, len(known))
        if units:
            grow_arrays(self.objects, self.group, self.layouts.values(), rows_needed(units, self.unit_clips))
            append_part(self.objects, self.prefix, len(part_keys(self.objects, self.prefix)), units)
            self.refresh()
        return units

    def note_complete(self) -> None:
        """Where no unit is missing, write a record that names every marker: from then on none may vanish."""
        self.refresh()
        if not self.missing_units():
            note_completion(self.objects, self.prefix, self.units())

    def begin(self, unit: Unit, *, provenance: Mapping[str, Any]) -> PendingUnit:
        """Start to write a unit; `provenance` (device, dtype, build, threads) goes into its marker."""
        destination = Destination(self.objects, self.prefix, self.group, self.layouts)
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
        number = self.attempts().get(unit_id, 0) + 1
        while not self.objects.create(f"{self.prefix}/attempts/{unit_id}.{number}", [b"\n"]):
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

        The blocks do not depend on `world_size`; worker `rank` gets every `world_size`-th of them.
        """
        if block_clips < 1 or not 0 <= rank < world_size:
            raise InvalidInput(f"block_clips {block_clips} must be positive, rank {rank} below {world_size}.")
        _, ids = self.index().select(None)
        order = (
            np.arange(len(ids)) if shuffle is None else np.random.default_rng(shuffle).permutation(len(ids))
        )
        for start in range(rank * block_clips, len(ids), world_size * block_clips):
            wanted = [ids[place] for place in order[start : start + block_clips]]
            yield self.read_layer(name, layer, wanted)

    def as_zarr(self) -> "zarr.Group":
        """The Zarr group, read-only; rows without a marker are to be left alone (see `rows`)."""
        from store.arrays.external import open_zarr

        return open_zarr(self.objects, self.group)

    def as_xarray(self, name: str) -> "xarray.DataArray":
        """An array of all committed clips that did not fail, lazily, with clip_id and layer coordinates."""
        from store.arrays.external import open_xarray

        rows, ids = self.index().select(None)
        others = [other for other in self.arrays if other != name]
        return open_xarray(self.objects, self.group, self.layout(name), rows, ids, self.layers(name), others)

    def layout(self, name: str) -> ArrayLayout:
        """Layout of an array; raises `NotFound` naming the arrays there are."""
        if name not in self.layouts:
            raise NotFound(f"{self.prefix} has no array {name!r}; it has {', '.join(self.layouts)}.")
        return self.layouts[name]

    def layers(self, name: str) -> list[int]:
        """The model's layer numbers along the layer axis of an array; empty without such an axis."""
        spec = self.layout(name).spec
        if spec.dimensions[0] != "layer":
            return []
        return list(spec.attributes.get("layers", range(spec.shape[0])))

    def _check_length(self, parts: Mapping[str, Sequence[Unit]]) -> None:
        """Raise `CorruptData` unless the document says how many clips were planned first."""
        planned = sum(len(unit.clips) for unit in parts.get(plan_key(self.prefix, 0), ()))
        said = self.document["clips"]
        if parts and planned != said:
            raise CorruptData(
                f"{self.objects.url}/{document_key(self.prefix)} says {said} clips, its plan has {planned}: "
                "restore it from a copy, or make it again."
            )

    def _read(self, name: str, rows: Rows, parts: range, *, verify: bool) -> Array:
        folder, layout = f"{self.group}/{name}", self.layouts[name]
        return read_rows(self.objects, folder, layout, rows, parts, self._checked[name] if verify else None)

    def _part(self, name: str, layer: int) -> int:
        layers = self.layers(name)
        if layer not in layers:
            raise NotFound(f"Layer {layer} is not in {name!r} of {self.prefix} (layers {layers}).")
        return layers.index(layer)

    def _read_new_markers(self, known: Mapping[str, Marker]) -> dict[str, Marker]:
        named = completed_markers(self.objects, self.prefix)
        versions = dict(self.objects.versions(f"{self.prefix}/commits"))
        check_completion(self.objects.url, self.prefix, named, versions)
        new = [key for key, version in versions.items() if self._versions.get(key) != version]
        read = map_concurrently(self._read_marker, new, threads=self.objects.read_threads)
        kept = {unit_id: marker for unit_id, marker in known.items() if self._key(unit_id) in versions}
        self._versions = versions
        return kept | {marker.unit_id: marker for marker in read if marker}

    def _read_marker(self, key: str) -> Marker | None:
        try:
            return read_marker(self.objects, key)
        except NotFound:  # withdrawn by `repair` since the listing
            return None

    def _key(self, unit_id: str) -> str:
        return marker_key(self.prefix, unit_id)

    def _keep(self, marker: Marker) -> None:
        with self._state:
            self.markers()[marker.unit_id] = marker
            self._index = None


def create_collection(
    objects: ObjectStore,
    prefix: str,
    *,
    document: Mapping[str, Any],
    arrays: Sequence[ArraySpec],
    clips: Sequence[PlannedClip],
    unit_clips: int = UNIT_CLIPS,
) -> Collection:
    """Write plan, arrays and document, or find them there already; their record, written last, seals them.

    Raises `Conflict` where the prefix holds another document or plan.
    """
    for name in prefix.split("/"):
        check_name(name, "a collection")
    whole = whole_document(document, arrays, clips, unit_clips)
    units = cut_units(clips, unit_clips, 0)
    collection = Collection(objects, prefix, whole)
    key = document_key(prefix)
    if not is_recorded(objects, key):
        plan = place_part(objects, prefix, 0, units)
        write_group(objects, collection.group)
        grow_arrays(objects, collection.group, collection.layouts.values(), rows_needed(units, unit_clips))
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


def _is_document(key: str, data: bytes) -> bool:
    try:
        return bool(opened_json(data, key))
    except CorruptData:
        return False
