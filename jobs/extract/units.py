"""Units of an extraction that carry all a worker needs: their clips, and where the codes of these are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from store.arrays.collection import Collection
from store.arrays.commits import FAILED, STATES, UNKNOWN, States
from store.arrays.plan import Numbers, UnitsToCome
from store.arrays.rows import newest_planned, places_in
from store.records import Unit

UNKNOWN_ROW = -1
_SILENT = STATES.index("silent")


@dataclass(frozen=True, slots=True)
class ExtractionUnit(Unit):
    """A unit of a run with the place of its codes."""

    codes_unit: Unit | None = None
    """The unit of the codes that has just these clips, where not all of them have codes yet.

    None where codes were cut differently, are none, or are all there: then nobody asks for a marker.
    """
    codes_rows: tuple[int, ...] = ()
    """Otherwise the newest row of each clip's codes, `UNKNOWN_ROW` where they are to be computed."""
    silent: frozenset[str] = frozenset()
    """Ids of those among them that are silent."""


class ExtractionUnits:
    """Units of a run that are still to be computed, each made with its codes when it is asked for."""

    def __init__(self, units: UnitsToCome, codes: Collection | None) -> None:
        self._units, self._codes = units, codes
        if codes is None:
            return
        self._codes_plan = codes.plan()
        plan = units.plan
        self._starts: Numbers = np.cumsum(plan.lengths) - plan.lengths
        self._codes_starts = np.cumsum(self._codes_plan.lengths) - self._codes_plan.lengths
        ids, newest = newest_planned(self._codes_plan, np.ones(self._codes_plan.clips, np.bool_))
        self._planned = _looked_up(newest, places_in(ids, plan.clip_ids), UNKNOWN_ROW)
        """For every clip of the run's plan, the last place that it has in the plan of the codes."""

    def __len__(self) -> int:
        return len(self._units)

    @property
    def clips(self) -> int:
        """How many clips they have."""
        return self._units.clips

    def __iter__(self) -> Iterator[ExtractionUnit]:
        return (self._unit(number) for number in self._units.numbers.tolist())

    def __reversed__(self) -> Iterator[ExtractionUnit]:
        return (self._unit(number) for number in self._units.numbers[::-1].tolist())

    def need_no_audio(self) -> bool:
        """Whether the codes of all their clips are stored."""
        if self._codes is None:
            return len(self._units) == 0
        lengths, numbers = self._units.plan.lengths, self._units.numbers
        wanted = np.zeros(len(lengths), np.bool_)
        wanted[numbers] = True
        return bool((self._committed[0][np.repeat(wanted, lengths)] >= 0).all())

    def _unit(self, number: int) -> ExtractionUnit:
        unit = self._units.plan.unit(number)
        if self._codes is None:
            return ExtractionUnit(unit.unit_id, unit.first_row, unit.clips)
        start = int(self._starts[number])
        clips = slice(start, start + len(unit.clips))
        own = self._own(self._planned[clips], unit)
        rows, states = self._committed[0][clips], self._committed[1][clips]
        if own is not None and not _has_all(own, rows, states):
            return ExtractionUnit(unit.unit_id, unit.first_row, unit.clips, own)
        rows = np.where(states == FAILED, UNKNOWN_ROW, rows)
        silent = frozenset(unit.clips[place].clip_id for place in np.flatnonzero(states == _SILENT))
        return ExtractionUnit(
            unit.unit_id, unit.first_row, unit.clips, codes_rows=tuple(rows.tolist()), silent=silent
        )

    def _own(self, places: Numbers, unit: Unit) -> Unit | None:
        """The unit of the codes that has just these clips in this order."""
        first, count = int(places[0]), len(places)
        if not np.array_equal(places, np.arange(first, first + count)) or first < 0:
            return None
        number = int(np.searchsorted(self._codes_starts, first, side="right")) - 1
        if (self._codes_starts[number], self._codes_plan.lengths[number]) != (first, count):
            return None
        clips = tuple(replace(clip, text="") for clip in unit.clips)
        return Unit(self._codes_plan.unit_ids[number], int(self._codes_plan.first_rows[number]), clips)

    @cached_property
    def _committed(self) -> tuple[Numbers, States]:
        """For every clip of the run's plan, its newest committed row of the codes, and its state."""
        assert self._codes is not None  # asked of units with codes alone
        index = self._codes.index()
        places = index.find(self._units.plan.clip_ids)
        return _looked_up(index.rows, places, UNKNOWN_ROW), _looked_up(index.states, places, UNKNOWN)


def _has_all(own: Unit, rows: Numbers, states: States) -> bool:
    """Whether these are the rows of the unit itself, not of one before it, and no clip of it has failed."""
    expected = own.first_row + np.arange(len(rows))
    return np.array_equal(rows, expected) and not (states == FAILED).any()


def _looked_up(values: Any, places: Numbers, absent: int) -> Any:
    """Values at places, and what stands for those that are absent (-1)."""
    return np.append(values, np.array([absent], values.dtype))[places]
