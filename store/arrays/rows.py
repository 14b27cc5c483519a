"""Finds the row of a collection's arrays that is valid for a clip: its newest committed one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from store.arrays.layout import marker_key
from store.arrays.markers import Marker, check_marker
from store.errors import MissingRows
from store.records import ClipStatus, Unit


@dataclass(frozen=True)
class RowIndex:
    """Committed clips in plan order, each with its newest committed row."""

    clip_ids: tuple[str, ...]
    rows: np.ndarray[Any, np.dtype[np.int64]]
    """Row in every array of the collection, (clips,)."""
    statuses: tuple[ClipStatus, ...]
    unit_ids: tuple[str, ...]

    @cached_property
    def place(self) -> dict[str, int]:
        """Position of each clip in this index."""
        return {clip: place for place, clip in enumerate(self.clip_ids)}

    @cached_property
    def _usable(self) -> tuple[np.ndarray[Any, np.dtype[np.int64]], tuple[str, ...]]:
        """Rows and ids of the clips that have numbers (did not fail)."""
        places = [place for place, status in enumerate(self.statuses) if status.state != "failed"]
        return self.rows[places], tuple(self.clip_ids[place] for place in places)

    def select(self, clip_ids: Sequence[str] | None) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[str]]:
        """Rows and ids of the named clips in the order given, or of every usable clip.

        Raises `MissingRows` naming the first clips without numbers.
        """
        if clip_ids is None:
            rows, ids = self._usable
            return rows, list(ids)
        missing = [clip for clip in clip_ids if not self._has_numbers(clip)]
        if missing:
            raise MissingRows(
                f"{len(missing)} of {len(clip_ids)} clips have no rows: {self._reasons(missing)}."
            )
        places = [self.place[clip] for clip in clip_ids]
        return self.rows[places], list(clip_ids)

    def table(self) -> pa.Table:
        """Columns clip_id, row, unit_id, state."""
        states = [status.state for status in self.statuses]
        columns = [list(self.clip_ids), self.rows, list(self.unit_ids), states]
        types = [pa.string(), pa.int64(), pa.string(), pa.string()]
        arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
        return pa.table(arrays, names=["clip_id", "row", "unit_id", "state"])

    def _has_numbers(self, clip: str) -> bool:
        place = self.place.get(clip)
        return place is not None and self.statuses[place].state != "failed"

    def _reasons(self, missing: Sequence[str]) -> str:
        reasons = [
            f"{clip} ({'failed' if clip in self.place else 'not computed yet'})" for clip in missing[:3]
        ]
        return ", ".join(reasons) + (" …" if len(missing) > 3 else "")


def index_rows(prefix: str, units: Sequence[Unit], markers: Mapping[str, Marker]) -> RowIndex:
    """Resolve every clip of a plan to its newest committed row.

    Raises `CorruptData` naming a marker below `prefix` whose clips are not those of its unit.
    """
    found: dict[str, tuple[int, ClipStatus, str] | None] = {}
    for unit in units:
        marker = markers.get(unit.unit_id)
        if marker:
            check_marker(marker, unit, marker_key(prefix, unit.unit_id))
        for place, clip in enumerate(unit.clips):
            found.setdefault(clip.clip_id, None)
            if marker:
                found[clip.clip_id] = (unit.first_row + place, marker.statuses[place], unit.unit_id)
    committed = [(clip, entry) for clip, entry in found.items() if entry]
    return RowIndex(
        tuple(clip for clip, _ in committed),
        np.array([row for _, (row, _, _) in committed], dtype=np.int64),
        tuple(status for _, (_, status, _) in committed),
        tuple(unit for _, (_, _, unit) in committed),
    )
