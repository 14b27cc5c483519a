"""The plan of a collection: which clip has which row, cut into units, written before any work starts."""

import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import pyarrow as pa

from store.arrays.layout import document_key, plan_key, unit_name
from store.errors import Conflict, CorruptData
from store.objects.ledger import (
    Entry,
    Record,
    is_recorded,
    place,
    read_committed,
    recorded_names,
    write_record,
)
from store.objects.parquet import is_parquet, parquet_bytes, parquet_table
from store.objects.protocol import Buffer, ObjectStore
from store.records import PlannedClip, Unit

SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("start_seconds", pa.float64()),
        ("duration_seconds", pa.float64()),
        ("text", pa.string()),
        ("sha256", pa.string()),
        ("row", pa.int64()),
        ("unit_id", pa.string()),
    ]
)


def cut_units(clips: Sequence[PlannedClip], unit_clips: int, first_unit: int) -> list[Unit]:
    """Cut clips into units of `unit_clips`; every unit begins at a multiple of it, the last may be short."""
    starts = range(0, len(clips), unit_clips)
    return [
        Unit(unit_name(number), number * unit_clips, tuple(clips[start : start + unit_clips]))
        for number, start in enumerate(starts, start=first_unit)
    ]


def rows_needed(units: Sequence[Unit], unit_clips: int) -> int:
    """Length of the clip axis that holds these units."""
    return units[-1].first_row + unit_clips if units else 0


def plan_digest(clips: Iterable[PlannedClip]) -> str:
    """SHA-256 over the ordered clips of a plan."""
    digest = sha256()
    for clip in clips:
        row = [clip.clip_id, clip.uri, clip.start_seconds, clip.duration_seconds, clip.text, clip.sha256]
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


def place_part(objects: ObjectStore, prefix: str, part: int, units: Sequence[Unit]) -> Entry:
    """Write one part of the plan, for a record to name.

    Raises `Conflict` where a part of that number lies there and says something else.
    """
    key = plan_key(prefix, part)
    entry = place(objects, key, parquet_bytes(_table(units)), sound=is_parquet)
    if decode_part(objects.get(key), f"{objects.url}/{key}") != list(units):
        raise Conflict(
            f"{objects.url}/{key} already holds another plan: a second driver was faster, or the folder "
            "is left over from another specification. Run the command again, else remove the folder."
        )
    return entry


def append_part(objects: ObjectStore, prefix: str, part: int, units: Sequence[Unit]) -> None:
    """Write a further part of the plan with a record of its own; raises `Conflict` as `place_part` does."""
    entry = place_part(objects, prefix, part, units)
    write_record(objects, Record(entry.key, "plan", (entry,)))


def read_part(objects: ObjectStore, key: str) -> list[Unit]:
    """The units of one part of the plan, in order; raises `CorruptData` naming a part that is damaged."""
    return decode_part(read_committed(objects, key), f"{objects.url}/{key}")


def part_keys(objects: ObjectStore, prefix: str) -> list[str]:
    """Keys of the parts of a plan that records name, in order; the first stands in the document's record."""
    first = [plan_key(prefix, 0)] if is_recorded(objects, document_key(prefix)) else []
    return first + recorded_names(objects, f"{prefix}/plan")


def decode_part(data: Buffer, where: str) -> list[Unit]:
    """The units in the bytes of a part; raises `CorruptData` naming the place where it lies."""
    table = parquet_table(data, where)
    is_plan = (table.schema.names, table.schema.types) == (SCHEMA.names, SCHEMA.types)
    if not is_plan or any(column.null_count for column in table.columns):
        raise CorruptData(f"{where} is no part of a plan: run `undertone verify`.")
    return list(_units(table))


def _table(units: Sequence[Unit]) -> pa.Table:
    clips = [clip for unit in units for clip in unit.clips]
    columns = {
        "clip_id": [clip.clip_id for clip in clips],
        "uri": [clip.uri for clip in clips],
        "start_seconds": [clip.start_seconds for clip in clips],
        "duration_seconds": [clip.duration_seconds for clip in clips],
        "text": [clip.text for clip in clips],
        "sha256": [clip.sha256 for clip in clips],
        "row": [unit.first_row + place for unit in units for place in range(len(unit.clips))],
        "unit_id": [unit.unit_id for unit in units for _ in unit.clips],
    }
    return pa.table(columns, schema=SCHEMA)


def _units(table: pa.Table) -> Iterator[Unit]:
    columns = [table[name].to_pylist() for name in SCHEMA.names]
    unit_id, first_row, clips = "", 0, list[PlannedClip]()
    for identity, uri, start, duration, text, checksum, row, unit in zip(*columns, strict=True):
        if unit != unit_id and clips:
            yield Unit(unit_id, first_row, tuple(clips))
        if unit != unit_id:
            unit_id, first_row, clips = unit, row, []
        clips.append(PlannedClip(identity, uri, start, duration, text, checksum))
    if clips:
        yield Unit(unit_id, first_row, tuple(clips))
