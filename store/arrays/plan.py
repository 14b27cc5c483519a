"""The plan of a collection: which clip has which row, cut into units, written before any work starts.

It is held as columns; the units and clips of a plan become objects one unit at a time, as they are asked for.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.arrays.layout import document_key, plan_key, unit_name
from store.errors import Conflict, CorruptData
from store.objects.ledger import (
    Entry,
    Record,
    is_recorded,
    place,
    recorded_names,
    view_committed,
    write_record,
)
from store.objects.parquet import ParquetGroups, is_parquet, parquet_bytes
from store.objects.protocol import Buffer, ObjectStore
from store.records import PlannedClip, Unit

CLIP_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("start_seconds", pa.float64()),
        ("duration_seconds", pa.float64()),
        ("text", pa.string()),
        ("sha256", pa.string()),
    ]
)
MELODY = "melody"
"""Column of plans of runs whose clips have melodies of their own, behind those of `CLIP_SCHEMA`."""
NEW_CLIPS = {"clips": "new"}
"""Metadata of a further part of a plan whose clips stand in no earlier one."""
NOTE = "note"
"""Metadata of a further part of a plan: what its record says, so that the record can be written anew."""
SCHEMA = pa.schema([*CLIP_SCHEMA, ("row", pa.int64()), ("unit_id", pa.string())])
ROW_GROUP_CLIPS = 16_384
"""So many clips of a plan are read at once when its units are asked for in turn."""
MOST_LOST = 16
"""One in so many rows of a unit may be left empty, so that the clips of a recording stay together."""
_NOT_PLAIN = r"[^ !#-\[\]-~]"
"""What JSON writes otherwise than it stands: controls, quotes, backslashes and all that is not ASCII."""
Clips: TypeAlias = Sequence[PlannedClip] | pa.Table
"""Clips to be planned: objects, or a table with the columns of `CLIP_SCHEMA`."""
Numbers = np.ndarray[Any, np.dtype[np.int64]]


class PlanPart:
    """One part of a plan. Of a stored one ids and rows are read at once, the rest as units are asked for."""

    def __init__(self, load: Callable[[], Buffer], where: str) -> None:
        self._load, self._where = load, where
        self._group: tuple[int, pa.Table] | None = None
        groups = ParquetGroups(load(), where)
        self._check(groups.schema)
        self._ends = np.cumsum(groups.lengths)
        columns = _UnitColumns()
        for table in groups.batches(["clip_id", "row", "unit_id"], dictionaries=["unit_id"]):
            if any(column.null_count for column in table.columns):
                raise CorruptData(f"{where} is no part of a plan: run `undertone verify`.")
            columns.add(table)
        self.clip_ids: pa.StringArray = pa.concat_arrays(columns.clip_ids)
        self.unit_ids = columns.unit_ids
        self.starts: Numbers = np.array(columns.starts, np.int64)
        """Place of the first clip of each unit."""
        self.lengths: Numbers = np.diff(self.starts, append=len(self.clip_ids))
        """Clips of each unit."""
        self.first_rows: Numbers = np.array(columns.first_rows, np.int64)
        """Row of the first clip of each unit; the others follow it."""

    @classmethod
    def from_bytes(cls, data: Buffer, where: str) -> "PlanPart":
        """The part in these bytes; raises `CorruptData` naming the place where it lies."""
        return cls(lambda: data, where)

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def rows(self) -> Numbers:
        """Row of every clip."""
        return np.repeat(self.first_rows - self.starts, self.lengths) + np.arange(len(self))

    def unit(self, number: int) -> Unit:
        """One unit, by its place in the part."""
        start, length = int(self.starts[number]), int(self.lengths[number])
        table = self.clips(start, start + length)
        columns = [table[name].to_pylist() for name in clip_columns(table.schema)]
        clips = tuple(PlannedClip(*values) for values in zip(*columns, strict=True))
        return Unit(self.unit_ids[number], int(self.first_rows[number]), clips)

    def clips(self, start: int, stop: int) -> pa.Table:
        """All columns of the clips with these places."""
        first = int(np.searchsorted(self._ends, start, side="right"))
        last = int(np.searchsorted(self._ends, max(start, stop - 1), side="right"))
        begin = int(self._ends[first - 1]) if first else 0
        tables = [self._read_group(group) for group in range(first, min(last, len(self._ends) - 1) + 1)]
        whole = tables[0] if len(tables) == 1 else pa.concat_tables(tables)
        return whole.slice(start - begin, stop - start)

    def every_clip(self) -> pa.Table:
        """All clips, as columns."""
        return self._groups.read(clip_columns(self._groups.schema))

    @cached_property
    def _groups(self) -> ParquetGroups:
        return ParquetGroups(self._load(), self._where)

    def _read_group(self, group: int) -> pa.Table:
        """The group that was read last is kept: units are asked for in turn."""
        if self._group is None or self._group[0] != group:
            self._group = group, self._groups.read_group(group)
        return self._group[1]

    def _check(self, schema: pa.Schema) -> None:
        plain = pa.schema([field for field in schema if field != pa.field(MELODY, pa.string())])
        if (plain.names, plain.types) != (SCHEMA.names, SCHEMA.types):
            raise CorruptData(f"{self._where} is no part of a plan: run `undertone verify`.")


class _UnitColumns:
    """Gathers ids and units of a part of a plan from blocks of its rows."""

    def __init__(self) -> None:
        self.clip_ids: list[pa.StringArray] = [pa.array([], pa.string())]
        self.unit_ids: list[str] = []
        self.starts: list[int] = []
        self.first_rows: list[int] = []
        self._count = 0

    def add(self, table: pa.RecordBatch) -> None:
        units, rows = table["unit_id"], table["row"].to_numpy()
        codes = units.indices.to_numpy()
        begins = np.flatnonzero(np.diff(codes, prepend=-1))
        ids = units.dictionary.take(pa.array(codes[begins])).to_pylist()
        if ids and self.unit_ids[-1:] == ids[:1]:  # a unit that began in the block before
            begins, ids = begins[1:], ids[1:]
        self.clip_ids.append(table["clip_id"])
        self.unit_ids += ids
        self.starts += (begins + self._count).tolist()
        self.first_rows += rows[begins].tolist()
        self._count += len(rows)


class Plan:
    """All parts of a plan, in order of rows."""

    def __init__(self, parts: Sequence[PlanPart]) -> None:
        self.parts = parts
        self.unit_ids: list[str] = [unit_id for part in parts for unit_id in part.unit_ids]
        self.first_rows: Numbers = _joined([part.first_rows for part in parts])
        self.lengths: Numbers = _joined([part.lengths for part in parts])

    def __len__(self) -> int:
        """How many units there are."""
        return len(self.unit_ids)

    @property
    def clip_ids(self) -> pa.ChunkedArray:
        """Id of every planned row."""
        return pa.chunked_array([part.clip_ids for part in self.parts], pa.string())

    @property
    def clips(self) -> int:
        """Rows that are planned; a clip that was planned again counts again."""
        return sum(len(part) for part in self.parts)

    @cached_property
    def number(self) -> dict[str, int]:
        """Place of each unit in the plan."""
        return {unit_id: number for number, unit_id in enumerate(self.unit_ids)}

    def unit(self, number: int) -> Unit:
        """One unit, by its place in the plan."""
        for part in self.parts:
            if number < len(part.unit_ids):
                return part.unit(number)
            number -= len(part.unit_ids)
        raise IndexError(number)

    def units(self, numbers: Iterable[int] | None = None) -> Iterator[Unit]:
        """Units one after the other: those with these numbers, or all."""
        return (self.unit(int(number)) for number in (range(len(self)) if numbers is None else numbers))

    def clip_ids_of(self, number: int) -> list[str]:
        """Ids of the clips of one unit."""
        for part in self.parts:
            if number < len(part.unit_ids):
                ids: list[str] = part.clip_ids.slice(part.starts[number], part.lengths[number]).to_pylist()
                return ids
            number -= len(part.unit_ids)
        raise IndexError(number)

    def rows_needed(self, unit_clips: int) -> int:
        """Length of the clip axis that holds all units."""
        return int(self.first_rows[-1]) + unit_clips if len(self) else 0


class UnitsToCome(Iterable[Unit]):
    """Units of a plan that are made when they are asked for."""

    def __init__(self, plan: Plan, numbers: Numbers) -> None:
        self.plan, self.numbers = plan, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Unit]:
        return self.plan.units(self.numbers.tolist())

    def __reversed__(self) -> Iterator[Unit]:
        return self.plan.units(self.numbers[::-1].tolist())

    @property
    def clips(self) -> int:
        """How many clips they have."""
        return int(self.plan.lengths[self.numbers].sum())


def clip_table(clips: Clips) -> pa.Table:
    """Clips as columns."""
    if isinstance(clips, pa.Table):
        return clips.select(clip_columns(clips.schema)).cast(
            clip_schema(melodies=MELODY in clips.column_names)
        )
    schema = clip_schema(melodies=any(clip.melody for clip in clips))
    return pa.table({name: [getattr(clip, name) for clip in clips] for name in schema.names}, schema=schema)


def clip_schema(*, melodies: bool) -> pa.Schema:
    """Columns of planned clips, with that of their melodies or without."""
    return CLIP_SCHEMA.append(pa.field(MELODY, pa.string())) if melodies else CLIP_SCHEMA


def clip_columns(schema: pa.Schema) -> list[str]:
    """Names of those columns of a table that say what a clip is, in the order of `PlannedClip`."""
    return list(clip_schema(melodies=MELODY in schema.names).names)


def part_table(clips: pa.Table, unit_clips: int, first_unit: int) -> pa.Table:
    """Cut clips into units of at most `unit_clips`; every unit begins at a row that is a multiple of it."""
    starts = unit_starts(clips["uri"], unit_clips)
    lengths = np.diff(starts, append=len(clips))
    numbers = np.repeat(np.arange(len(starts), dtype=np.int64), lengths)
    rows = (first_unit + numbers) * unit_clips + np.arange(len(clips)) - starts[numbers]
    names = pa.array([unit_name(first_unit + number) for number in range(len(starts))], pa.string())
    units = pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), names)
    return clips.append_column("row", pa.array(rows)).append_column("unit_id", units.cast(pa.string()))


def unit_starts(uris: pa.ChunkedArray, unit_clips: int) -> Numbers:
    """Place of the first clip of each unit, where clips of one recording (URI) follow each other.

    A unit ends with a recording where no more than 1/16 of it is lost by that: clips of a recording in two
    units are fetched by two workers, and rows that are left empty are kept for ever.
    """
    return unit_starts_of(recording_ends(uris), unit_clips)


def recording_ends(uris: pa.ChunkedArray) -> Numbers:
    """Where each recording (URI) ends, whose clips follow each other: the place after its last clip."""
    if not len(uris):
        return np.zeros(0, np.int64)
    recordings = uris.combine_chunks()
    is_last = pc.not_equal(recordings.slice(1), recordings.slice(0, len(uris) - 1))
    return np.append(np.flatnonzero(is_last.to_numpy(zero_copy_only=False)) + 1, len(uris))


def unit_starts_of(ends: Numbers, unit_clips: int) -> Numbers:
    """The same as `unit_starts`, by where recordings end."""
    if not len(ends):
        return np.zeros(0, np.int64)
    starts, least = [0], unit_clips - unit_clips // MOST_LOST
    while starts[-1] < ends[-1]:
        full = starts[-1] + unit_clips
        whole = int(ends[max(0, int(np.searchsorted(ends, full, side="right")) - 1)])
        starts.append(whole if least <= whole - starts[-1] <= unit_clips else full)
    return np.array(starts[:-1], np.int64)


def plan_digest(clips: Clips) -> str:
    """SHA-256 over the ordered clips of a plan: a line of JSON for each, a list of its columns."""
    digest = sha256()
    for batch in clip_table(clips).to_batches(max_chunksize=ROW_GROUP_CLIPS):
        quoted = [_as_json(column) for column in batch.columns]
        parts = [pa.scalar("["), *(each for column in quoted for each in (column, pa.scalar(", ")))]
        lines = pc.binary_join_element_wise(*parts[:-1], pa.scalar("]\n"), "")
        digest.update(_text_of(lines))
    return digest.hexdigest()


def _as_json(column: pa.Array) -> pa.Array:
    """Each value as `json.dumps` writes it; few need to be looked at one by one."""
    if pa.types.is_floating(column.type):
        values = column.dictionary_encode()
        said = pa.array([json.dumps(value) for value in values.dictionary.to_pylist()], pa.string())
        return said.take(values.indices)
    quoted = pc.binary_join_element_wise(pa.scalar('"'), column, pa.scalar('"'), "")
    odd = pc.match_substring_regex(column, _NOT_PLAIN)
    if not pc.any(odd).as_py():
        return quoted
    said = [json.dumps(value) for value in column.filter(odd).to_pylist()]
    return pc.replace_with_mask(quoted, odd, pa.array(said, pa.string()))


def _text_of(lines: pa.StringArray) -> memoryview:
    """The texts of an array one after the other, not copied."""
    _, offsets, data = lines.buffers()
    first, last = np.frombuffer(offsets, np.int32)[[lines.offset, lines.offset + len(lines)]].tolist()
    return memoryview(data)[first:last] if data is not None else memoryview(b"")


def place_part(objects: ObjectStore, prefix: str, part: int, table: pa.Table) -> Entry:
    """Write one part of the plan, for a record to name.

    Raises `Conflict` where a part of that number lies there and says something else.
    """
    key = plan_key(prefix, part)
    entry = place(objects, key, parquet_bytes(table, group_rows=ROW_GROUP_CLIPS), sound=is_parquet)
    found = ParquetGroups(objects.view(key), f"{objects.url}/{key}").read(table.column_names)
    if not found.equals(table):
        raise Conflict(
            f"{objects.url}/{key} already holds another plan: a second driver was faster, or the folder "
            "is left over from another specification. Run the command again, else remove the folder."
        )
    return entry


def append_part(
    objects: ObjectStore, prefix: str, part: int, table: pa.Table, note: Mapping[str, Any], *, is_new: bool
) -> None:
    """Write a further part of the plan with a record of its own; raises `Conflict` as `place_part` does.

    Args:
        objects: the store.
        prefix: of the collection.
        part: its number.
        table: its rows.
        note: JSON values for the record.
        is_new: whether its clips are new ones, and not such as stand in an earlier part.
    """
    said = {NOTE: json.dumps(dict(note))} | (NEW_CLIPS if is_new else {})
    entry = place_part(objects, prefix, part, table.replace_schema_metadata(said))
    write_record(objects, Record(entry.key, "plan", (entry,), note))


def note_of_part(data: Buffer) -> Mapping[str, Any]:
    """What the record of a further part of a plan says, from the bytes of the part: for a lost record."""
    metadata = ParquetGroups(data, "the part").schema.metadata or {}
    note = json.loads(metadata.get(NOTE.encode(), b"{}"))
    return note if isinstance(note, dict) else {}


def has_new_clips(data: Buffer) -> bool:
    """Whether the clips of a further part, given by its bytes, stand in no earlier one."""
    metadata = ParquetGroups(data, "the part").schema.metadata or {}
    return all(metadata.get(key.encode()) == value.encode() for key, value in NEW_CLIPS.items())


def read_part(objects: ObjectStore, key: str) -> PlanPart:
    """One part of the plan; raises `CorruptData` naming a part that is damaged."""
    return PlanPart(lambda: view_committed(objects, key), f"{objects.url}/{key}")


def stored_clips(objects: ObjectStore, prefix: str) -> pa.Table:
    """The clips that a collection planned first, as columns; raises `CorruptData`."""
    return read_part(objects, plan_key(prefix, 0)).every_clip()


def part_keys(objects: ObjectStore, prefix: str) -> list[str]:
    """Keys of the parts of a plan that records name, in order; the first stands in the document's record."""
    first = [plan_key(prefix, 0)] if is_recorded(objects, document_key(prefix)) else []
    return list(dict.fromkeys(first + recorded_names(objects, f"{prefix}/plan")))


def _joined(blocks: Sequence[Numbers]) -> Numbers:
    return np.concatenate([np.zeros(0, np.int64), *blocks])
