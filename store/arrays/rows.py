"""Find the row of a collection's arrays that is valid for a clip: its newest committed one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.arrays.commits import FAILED, STATES, UNKNOWN, Commits, States, states_of
from store.arrays.plan import Numbers, Plan
from store.errors import MissingRows

Flags = np.ndarray[Any, np.dtype[np.bool_]]
MANY = 16
"""A selection of more than one clip in so many is looked up from the other side."""


@dataclass(frozen=True)
class RowIndex:
    """Committed clips in plan order, each with its newest committed row: columns of equal length."""

    clip_ids: pa.StringArray
    rows: Numbers
    """Row in every array of the collection."""
    states: States
    """Codes of `STATES`."""
    units: np.ndarray[Any, np.dtype[np.int32]]
    """Place of its unit in the plan."""
    unit_ids: Sequence[str]
    """Ids of all units of the plan."""

    def __len__(self) -> int:
        return len(self.clip_ids)

    @cached_property
    def has_numbers(self) -> Flags:
        """Which clips did not fail."""
        flags: Flags = self.states != FAILED
        return flags

    @cached_property
    def usable(self) -> tuple[Numbers, pa.StringArray]:
        """Rows and ids of the clips that have numbers."""
        if self.has_numbers.all():
            return self.rows, self.clip_ids
        return self.rows[self.has_numbers], self.clip_ids.filter(pa.array(self.has_numbers))

    def find(self, clip_ids: Sequence[str] | pa.Array | pa.ChunkedArray) -> Numbers:
        """Place of each clip in this index, -1 where it is not committed."""
        return places_in(self.clip_ids, clip_ids)

    def select(self, clip_ids: Sequence[str] | None) -> tuple[Numbers, list[str]]:
        """Rows and ids of the named clips in the order given, or of every usable clip.

        Raises `MissingRows` naming the first clips without numbers.
        """
        if clip_ids is None:
            rows, ids = self.usable
            return rows, ids.to_pylist()
        places = self.find(clip_ids)
        missing = np.flatnonzero((places < 0) | ~np.append(self.has_numbers, False)[places])
        if len(missing):
            raise MissingRows(
                f"{len(missing)} of {len(clip_ids)} clips have no rows: "
                f"{self._reasons(clip_ids, places, missing)}."
            )
        return self.rows[places], list(clip_ids)

    def table(self) -> pa.Table:
        """Columns clip_id, row, unit_id, state."""
        columns = {
            "clip_id": self.clip_ids,
            "row": pa.array(self.rows),
            "unit_id": _named(self.units, self.unit_ids),
            "state": _named(self.states, STATES),
        }
        return pa.table(columns)

    def _reasons(self, clip_ids: Sequence[str], places: Numbers, missing: Numbers) -> str:
        reasons = [
            f"{clip_ids[one]} ({'failed' if places[one] >= 0 else 'not computed yet'})" for one in missing[:3]
        ]
        return ", ".join(reasons) + (" …" if len(missing) > 3 else "")


def places_in(known: pa.StringArray, wanted: Sequence[str] | pa.Array | pa.ChunkedArray) -> Numbers:
    """Place of each wanted id among the known ones, -1 where it is not; no table of all ids is kept."""
    ids = wanted if isinstance(wanted, pa.Array | pa.ChunkedArray) else pa.array(wanted, pa.string())
    if len(ids) * MANY > len(known):
        found = pc.index_in(ids, value_set=known)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    distinct = ids.unique()
    met = pc.index_in(known, value_set=distinct)
    there = np.flatnonzero(met.is_valid().to_numpy(zero_copy_only=False))
    place = np.full(len(distinct), -1, np.int64)
    place[met.take(pa.array(there)).to_numpy()] = there
    asked = pc.index_in(ids, value_set=distinct).to_numpy(zero_copy_only=False)
    return np.asarray(place[asked.astype(np.int64)], np.int64)


def index_rows(prefix: str, plan: Plan, commits: Commits) -> RowIndex:
    """Resolve every clip of a plan to its newest committed row.

    Raises `CorruptData` naming a marker below `prefix` whose clips are not those of its unit.
    """
    states = states_of(prefix, plan, commits)
    units = np.repeat(np.arange(len(plan), dtype=np.int32), plan.lengths)
    if len(plan.parts) == 1 and (states != UNKNOWN).all():  # as they are: no copies of what may be large
        return RowIndex(plan.parts[0].clip_ids, plan.parts[0].rows, states, units, plan.unit_ids)
    rows = np.concatenate([np.zeros(0, np.int64), *(part.rows for part in plan.parts)])
    ids, newest = newest_planned(plan, states != UNKNOWN)
    committed = newest >= 0
    if not committed.all():
        ids, newest = ids.filter(pa.array(committed)), newest[committed]
    return RowIndex(ids, rows[newest], states[newest], units[newest], plan.unit_ids)


def newest_planned(plan: Plan, counts: Flags) -> tuple[pa.StringArray, Numbers]:
    """Every clip of a plan once, in order, with the last of its places in the plan that counts, else -1."""
    ids, start = pa.array([], pa.string()), 0
    newest = np.zeros(0, np.int64)
    for part in plan.parts:
        own = np.arange(start, start + len(part), dtype=np.int64)
        counting = counts[start : start + len(part)]
        start += len(part)
        if not len(ids):
            ids, newest = part.clip_ids, np.where(counting, own, -1)
            continue
        places = places_in(ids, part.clip_ids)
        if (places < 0).any():
            new = part.clip_ids.filter(pa.array(places < 0)).unique()
            ids = pa.concat_arrays([ids, new])
            newest = np.concatenate([newest, np.full(len(new), -1, np.int64)])
            places = places_in(ids, part.clip_ids)
        newest[places[counting]] = own[counting]
    return ids, newest


def _named(codes: Any, names: Sequence[str]) -> pa.Array:
    coded = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()))
    return coded.cast(pa.string())
