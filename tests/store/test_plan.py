"""A plan is columns: the same digest as ever, units one at a time, and rows that are found by joins."""

import json
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.arrays.collection import create_collection, open_collection
from store.arrays.commits import Commits, commits_of
from store.arrays.layout import plan_key
from store.arrays.markers import decode_marker, encode_marker
from store.arrays.plan import PlanPart, clip_table, part_table, plan_digest
from store.arrays.rows import places_in
from store.errors import Conflict
from store.format_version import write_format
from store.objects.ledger import record_key
from store.objects.parquet import parquet_bytes
from store.objects.protocol import ObjectStore
from store.records import PlannedClip, Unit
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_SECONDS = st.floats(allow_nan=False, allow_infinity=False)
_CLIP = st.builds(PlannedClip, _TEXT, _TEXT, _SECONDS, _SECONDS, _TEXT, _TEXT)


def digest_line_by_line(clips: list[PlannedClip]) -> str:
    digest = sha256()
    for clip in clips:
        row = [clip.clip_id, clip.uri, clip.start_seconds, clip.duration_seconds, clip.text, clip.sha256]
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()


@given(st.lists(_CLIP, max_size=8))
@settings(max_examples=80, deadline=None)
def test_the_digest_by_columns_is_the_one_of_lines_of_json(clips: list[PlannedClip]) -> None:
    assert plan_digest(clips) == digest_line_by_line(clips)


@pytest.mark.parametrize("group_rows", [None, 1, 5, 8, 64])
def test_units_are_the_same_however_the_file_is_cut_into_groups(world: Any, group_rows: int | None) -> None:
    table = part_table(clip_table(world.clips), 8, 3)
    part = PlanPart.from_bytes(parquet_bytes(table, group_rows=group_rows), "the part")
    clips = world.clips
    wanted = [
        Unit(f"unit-{3 + place:06d}", 24 + 8 * place, clips[8 * place : 8 * place + 8]) for place in range(3)
    ]
    assert [part.unit(number) for number in (2, 0, 1)] == [wanted[2], wanted[0], wanted[1]]
    assert part.rows.tolist() == list(range(24, 45))
    assert part.clip_ids.to_pylist() == [clip.clip_id for clip in clips]


def test_a_plan_given_as_columns_is_the_one_given_as_clips(local_objects: ObjectStore, world: Any) -> None:
    ours = world.create(local_objects)
    theirs = world.create(local_objects, clips=clip_table(world.clips))
    assert (ours.document, ours.units()) == (theirs.document, theirs.units())
    with pytest.raises(Conflict, match="plan_sha256"):
        world.create(local_objects, clips=world.clips[::-1])


def test_a_plan_of_one_group_as_earlier_versions_wrote_it_is_found_to_be_the_same(
    local_objects: ObjectStore, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.arrays.plan.ROW_GROUP_CLIPS", None)
    earlier = world.create(local_objects)
    before = local_objects.get(plan_key("runs/world", 0))
    monkeypatch.undo()
    monkeypatch.setattr("store.arrays.plan.ROW_GROUP_CLIPS", 4)
    again = world.create(local_objects)
    assert local_objects.get(plan_key("runs/world", 0)) == before
    assert again.units() == earlier.units()


@given(st.lists(st.integers(0, 60), max_size=70), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_places_are_those_of_a_dictionary(wanted: list[int], count: int) -> None:
    known = [f"clip{number}" for number in np.random.default_rng(count).permutation(60)[:count]]
    place = {clip: number for number, clip in enumerate(known)}
    asked = [f"clip{number}" for number in wanted]
    found = places_in(pa.array(known, pa.string()), asked)
    assert found.tolist() == [place.get(clip, -1) for clip in asked]
    long = places_in(pa.array([*known, *(f"x{number}" for number in range(5000))], pa.string()), asked)
    assert long.tolist() == found.tolist()


def test_a_row_of_the_table_of_commits_is_the_whole_marker(local_objects: ObjectStore, world: Any) -> None:
    collection = world.create(local_objects)
    world.write_all(collection, failed=["clip0002", "clip0020"])
    for unit in collection.units():
        key = f"runs/world/commits/{unit.unit_id}.json"
        data = local_objects.get(key)
        commits = Commits(commits_of([decode_marker(data, key)]))
        assert encode_marker(commits.marker(unit.unit_id, [clip.clip_id for clip in unit.clips])) == data


def test_new_clips_may_be_planned_later_and_old_ones_keep_their_rows(
    local_objects: ObjectStore, world: Any
) -> None:
    collection = world.create(local_objects, clips=world.clips[:10])
    world.write_all(collection)
    collection.append_units([*world.clips[8:12], world.clips[20]])
    before = collection.rows().to_pydict()
    assert before["row"] == list(range(10))
    world.write_all(collection)
    rows = {row["clip_id"]: row["row"] for row in collection.rows().to_pylist()}
    assert rows == {**{f"clip{number:04d}": number for number in range(8)}} | {
        "clip0008": 16, "clip0009": 17, "clip0010": 18, "clip0011": 19, "clip0020": 20,
    }  # fmt: skip
    again = open_collection(local_objects, "runs/world")
    ids = list(rows)
    np.testing.assert_array_equal(again.read_clips("resid.mean", ids), world.values("resid.mean", ids))


def test_an_id_that_two_collections_share_is_the_same_for_both_ways_of_giving_clips(
    local_objects: ObjectStore, world: Any
) -> None:
    collection = create_collection(
        local_objects, "codes/c", document={}, arrays=world.arrays[-1:], clips=clip_table(world.clips),
        unit_clips=8,
    )  # fmt: skip
    assert collection.document["plan_sha256"] == digest_line_by_line(list(world.clips))


def cut(lengths: list[int], unit_clips: int) -> list[int]:
    """Lengths of the units that recordings of so many clips are cut into."""
    uris = [f"{number}.wav" for number, length in enumerate(lengths) for _ in range(length)]
    clips = clip_table([PlannedClip(f"c{place}", uri, 0.0, 1.0) for place, uri in enumerate(uris)])
    table = part_table(clips, unit_clips, 2)
    rows, units = table["row"].to_numpy(), table["unit_id"].to_pylist()
    found = [units.count(unit_id) for unit_id in dict.fromkeys(units)]
    starts = np.cumsum([0, *found])[: len(found)]
    for number, (start, length) in enumerate(zip(starts, found, strict=True)):
        first = (2 + number) * unit_clips
        np.testing.assert_array_equal(rows[start : start + length], np.arange(first, first + length))
    return found


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([10] * 20, [30, 30, 30, 30, 30, 30, 20]),
        ([1] * 70, [32, 32, 6]),
        ([33] * 3, [32, 32, 32, 3]),
        ([20] * 3, [32, 28]),
        ([31, 5, 27, 40], [31, 32, 32, 8]),
        ([], []),
    ],
)
def test_a_recording_stays_in_one_unit_where_that_loses_a_sixteenth_of_it_at_most(
    lengths: list[int], expected: list[int]
) -> None:
    assert cut(lengths, 32) == expected


def test_a_lost_record_of_a_later_part_is_written_anew_with_what_it_said(
    local_objects: ObjectStore, world: Any
) -> None:
    write_format(local_objects)
    collection = world.create(local_objects, clips=world.clips[:10])
    collection.append_units(world.clips[10:12], note={"dataset_version": 2}, is_new=True)
    collection.append_units(world.clips[2:3], note={"dataset_version": 3})
    for part in (1, 2):
        local_objects.delete(record_key(plan_key("runs/world", part)))
    mend(local_objects, damage(inspect(local_objects)))
    again = open_collection(local_objects, "runs/world")
    assert again.part_notes() == [{"dataset_version": 2}, {"dataset_version": 3}]
    assert len(again.plan()) == len(collection.plan())
