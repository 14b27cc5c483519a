"""The plan of a collection: which clip has which row, cut into units, written before any work starts."""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from store.errors import Conflict
from store.layout import plan_key, unit_name
from store.objects import ObjectStore
from store.parquet import parquet_table
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


def write_part(objects: ObjectStore, prefix: str, part: int, units: Sequence[Unit]) -> None:
    """Write one part of the plan; raises `Conflict` where another part of that number says something else."""
    buffer = io.BytesIO()
    pq.write_table(_table(units), buffer, compression="zstd")
    key = plan_key(prefix, part)
    if not objects.create(key, [buffer.getvalue()]) and read_part(objects, key) != list(units):
        raise Conflict(
            f"{objects.url}/{key} already holds another plan: a second driver was faster, or the folder "
            "is left over from another specification. Run the command again, else remove the folder."
        )


def read_part(objects: ObjectStore, key: str) -> list[Unit]:
    """The units of one part of the plan, in order."""
    return list(_units(parquet_table(objects.get(key))))


def part_keys(objects: ObjectStore, prefix: str) -> list[str]:
    """Keys of the parts of a plan, in order."""
    return [key for key, _ in objects.list(f"{prefix}/plan") if key.endswith(".parquet")]


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
