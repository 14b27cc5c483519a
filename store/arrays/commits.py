"""Contents of the commit markers of a collection as columns: one row per unit, no object per clip."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from store.arrays.markers import Marker, ShardEntry
from store.arrays.plan import Plan, PlanPart
from store.errors import CorruptData
from store.records import ClipState, ClipStatus, Failure

STATES: tuple[ClipState, ...] = ("ok", "silent", "failed")
FAILED = STATES.index("failed")
UNKNOWN = 255
"""In the place of a state: nobody has committed the clip."""
States = np.ndarray[Any, np.dtype[np.uint8]]
_SHARD = [("array", pa.string()), ("key", pa.string()), ("bytes", pa.int64()), ("crc32c", pa.string())]
SCHEMA = pa.schema(
    [
        ("unit_id", pa.string()),
        ("first_row", pa.int64()),
        ("clips_sha256", pa.binary(32)),
        ("states", pa.binary()),
        ("others", pa.string()),
        ("shards", pa.list_(pa.struct([*_SHARD, ("former_crc32c", pa.string())]))),
        ("provenance", pa.string()),
        ("seconds", pa.string()),
        ("committed_at", pa.float64()),
        ("writer", pa.string()),
    ]
)


class Commits:
    """The committed units of a collection; `table` has the columns of `SCHEMA`."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        self.unit_ids: list[str] = self.table["unit_id"].to_pylist()

    def __len__(self) -> int:
        return len(self.unit_ids)

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self.place

    @cached_property
    def place(self) -> dict[str, int]:
        """Row of each unit in the table."""
        return {unit_id: place for place, unit_id in enumerate(self.unit_ids)}

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return int(pc.sum(pc.list_value_length(self.table["shards"])).as_py() or 0)

    @property
    def nbytes(self) -> int:
        """Bytes of all shards."""
        shards = pc.list_flatten(self.table["shards"])
        return int(pc.sum(pc.struct_field(shards, "bytes")).as_py() or 0)

    def marker(self, unit_id: str, clip_ids: Sequence[str]) -> Marker:
        """The marker of one unit, whose clips are given by the plan."""
        return marker_from_row(self.table.slice(self.place[unit_id], 1).to_pylist()[0], clip_ids)

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Some columns of every unit, some units at a time."""
        for batch in self.table.select(list(columns)).to_batches(max_chunksize=1024):
            yield from batch.to_pylist()


def with_markers(commits: Commits, markers: Sequence[Marker]) -> Commits:
    """The same with these markers, in order of rows; a unit that was there is what its new marker says."""
    if not markers:
        return commits
    again = pa.array([marker.unit_id for marker in markers])
    old = commits.table.filter(pc.invert(pc.is_in(commits.table["unit_id"], again)))
    return Commits(pa.concat_tables([old, commits_of(markers)]).sort_by("first_row"))


def commits_of(markers: Iterable[Marker]) -> pa.Table:
    """Markers as a table."""
    return pa.Table.from_pylist([_row(marker) for marker in markers], schema=SCHEMA)


def _row(marker: Marker) -> dict[str, Any]:
    others = [
        [place, status.clip_id, asdict(status.failure) if status.failure else None]
        for place, status in enumerate(marker.statuses)
        if status.failure or status.state != "ok"
    ]
    return {
        "unit_id": marker.unit_id,
        "first_row": marker.first_row,
        "clips_sha256": digest_of_ids(status.clip_id for status in marker.statuses),
        "states": bytes(STATES.index(status.state) for status in marker.statuses),
        "others": json.dumps(others) if others else "",
        "shards": [
            {"array": one.array, "key": one.key, "bytes": one.nbytes, "crc32c": one.crc32c}
            | {"former_crc32c": one.former_crc32c}
            for one in marker.shards
        ],
        "provenance": json.dumps(marker.provenance),
        "seconds": json.dumps(marker.seconds),
        "committed_at": marker.committed_at,
        "writer": marker.writer,
    }


def marker_from_row(row: Mapping[str, Any], clip_ids: Sequence[str]) -> Marker:
    """The marker that a row stands for; nothing of it is lost."""
    return Marker(
        row["unit_id"],
        row["first_row"],
        tuple(statuses_of(row, clip_ids)),
        tuple(shards_of(row)),
        json.loads(row["provenance"]),
        json.loads(row["seconds"]),
        row["committed_at"],
        row["writer"],
    )


def statuses_of(row: Mapping[str, Any], clip_ids: Sequence[str]) -> Iterator[ClipStatus]:
    """What became of each clip of a unit."""
    failures = {place: failure for place, _, failure in others_of(row)}
    for place, (clip_id, state) in enumerate(zip(clip_ids, row["states"], strict=True)):
        failure = failures.get(place)
        yield ClipStatus(clip_id, STATES[state], Failure(**failure) if failure else None)


def others_of(row: Mapping[str, Any]) -> list[tuple[int, str, dict[str, str] | None]]:
    """Place, id and failure of every clip of a unit that is not just there; sparse, for there are few."""
    return [tuple(one) for one in json.loads(row["others"])] if row["others"] else []


def shards_of(row: Mapping[str, Any]) -> Iterator[ShardEntry]:
    """The shards of a unit."""
    for one in row["shards"]:
        yield ShardEntry(one["array"], one["key"], one["bytes"], one["crc32c"], one["former_crc32c"])


def digest_of_ids(clip_ids: Iterable[str]) -> bytes:
    """What stands for the clips of a unit in their order."""
    return sha256("\n".join(clip_ids).encode()).digest()


def unit_digests(part: PlanPart) -> list[bytes]:
    """The same of every unit of a part of a plan, without an object per clip where ids are equally long."""
    _, offsets, data = part.clip_ids.buffers()
    first, count = part.clip_ids.offset, len(part)
    bounds = np.frombuffer(offsets, np.int32)[first : first + count + 1]
    widths = np.unique(np.diff(bounds))
    stops = (part.starts + part.lengths).tolist()
    if len(widths) != 1 or data is None:
        pairs = zip(part.starts.tolist(), part.lengths.tolist(), strict=True)
        return [digest_of_ids(part.clip_ids.slice(start, length).to_pylist()) for start, length in pairs]
    width = int(widths[0])
    lines = np.full((count, width + 1), ord("\n"), np.uint8)
    lines[:, :width] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]].reshape(count, width)
    text = lines.reshape(-1).data
    step = width + 1
    pairs = zip(part.starts.tolist(), stops, strict=True)
    return [sha256(text[start * step : stop * step - 1]).digest() for start, stop in pairs]


def states_of(prefix: str, plan: Plan, commits: Commits) -> States:
    """State of every planned row, in order of the plan, `UNKNOWN` where no unit is committed.

    Raises `CorruptData` naming a unit whose marker names other clips than the plan.
    """
    placed = np.array([commits.place.get(unit_id, -1) for unit_id in plan.unit_ids], np.int64)
    committed = np.flatnonzero(placed >= 0)
    states = np.full(int(plan.lengths.sum()), UNKNOWN, np.uint8)
    if not len(committed):
        return states
    found = commits.table.select(["first_row", "clips_sha256", "states"]).take(pa.array(placed[committed]))
    digests = [digest for part in plan.parts for digest in unit_digests(part)]
    _check_units(prefix, plan, committed, found, digests)
    said = found["states"].combine_chunks()
    said = said.chunk(0) if isinstance(said, pa.ChunkedArray) else said
    states[np.repeat(placed >= 0, plan.lengths)] = np.frombuffer(b"".join(said.to_pylist()), np.uint8)
    return states


def _check_units(prefix: str, plan: Plan, committed: Any, found: pa.Table, digests: Sequence[bytes]) -> None:
    same = plan.first_rows[committed] == found["first_row"].to_numpy()
    same &= plan.lengths[committed] == pc.binary_length(found["states"]).to_numpy()
    wanted = pa.array([digests[number] for number in committed.tolist()], pa.binary(32))
    same &= pc.equal(found["clips_sha256"], wanted).to_numpy(zero_copy_only=False)
    if not same.all():
        unit_id = plan.unit_ids[int(committed[np.flatnonzero(~same)[0]])]
        raise CorruptData(
            f"{prefix}/commits/{unit_id}.json: its clips are not those of the plan: run `undertone repair`."
        )
