"""Datasets go in and come out whole, in bounded memory, and never change under a run."""

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from store.datasets import add_dataset, dataset_names, read_dataset, users_of, versions_of
from store.errors import Conflict, CorruptData, InvalidInput, NotFound
from store.format_version import write_format
from store.objects.counting import CountedObjects
from store.objects.protocol import Buffer, ObjectStore
from store.records import Clip, Failure, Label
from store.upkeep.garbage import Wanted, collect, find_garbage
from store.upkeep.inspection import inspect

INFO = {
    "format": "folder",
    "clip_seconds": 4.0,
    "hop_seconds": 4.0,
    "root": {"kind": "local"},
    "notes": ["split by track"],
}
FAILURES = [Failure("bad.wav", "probe", "AudioError", "zero bytes", "bad.wav")]


def clip(number: int, **labels: Label) -> Clip:
    uri = f"rock/träck {number}.wav"
    return Clip(
        f"clip{number:05d}", uri, 4.0 * number, 4.0, f"artist {number % 7}", None, "ab" * 32, 1.25, labels
    )


def test_clips_and_failures_come_out_as_they_went_in(objects: ObjectStore) -> None:
    clips = [clip(n, genre="rock" if n % 2 else "jazz", tempo=90 + n, live=n % 3 == 0) for n in range(50)]
    written = add_dataset(objects, "music", INFO, iter(clips), iter(FAILURES))
    read = read_dataset(objects, "music")

    assert list(read.clips()) == clips
    assert read.failures == FAILURES
    assert read.info["clip_seconds"] == 4.0
    assert read.info["counts"] == {"clips": 50, "failures": 1}
    assert read.fingerprint == written.fingerprint
    assert dataset_names(objects) == ["music"]


def test_the_table_has_one_column_per_label(objects: ObjectStore) -> None:
    add_dataset(objects, "music", INFO, [clip(1, genre="rock", tempo=120)], [])
    table = read_dataset(objects, "music").table()

    assert table.column_names == [
        "clip_id", "uri", "start_seconds", "duration_seconds", "sha256", "group_id", "split", "tail_seconds",
        "genre", "tempo",
    ]  # fmt: skip
    assert [str(field.type) for field in table.schema][-2:] == ["string", "int64"]
    assert table["group_id"].to_pylist() == ["artist 1"]


def test_labels_get_the_narrowest_type_that_holds_all_values(local_objects: ObjectStore) -> None:
    clips = [
        clip(0, whole=1, wide=1, mixed=1, never=None, flag=True, late=None),
        clip(1, whole=None, wide=2.5, mixed="two", never=None, flag=False, late=float("nan")),
        clip(2, whole=3, new="here", late=0.5),
    ]
    add_dataset(local_objects, "music", INFO, clips, [])
    dataset = read_dataset(local_objects, "music")

    types = {field.name: str(field.type) for field in dataset.table().schema}
    assert [types[name] for name in ("whole", "wide", "mixed", "never", "flag", "new", "late")] == [
        "int64", "double", "string", "string", "bool", "string", "double",
    ]  # fmt: skip
    labels = [dict(found.labels) for found in dataset.clips()]
    assert [found["wide"] for found in labels] == [1.0, 2.5, None]
    assert [found["mixed"] for found in labels] == ["1", "two", None]
    assert [found["late"] for found in labels] == [None, None, 0.5]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([2**53 + 1, 1], "int64"),
        ([1, -(2**63)], "int64"),
        ([2**63, 1], "string"),
        ([1, 10**20], "string"),
        ([2**53 + 1, 0.5], "string"),
        ([0.5, 1, 2**53 + 1], "string"),
        ([2**53, 0.5], "double"),
    ],
)
def test_whole_numbers_keep_every_digit(local_objects: ObjectStore, values: list[Label], kind: str) -> None:
    add_dataset(local_objects, "music", INFO, [clip(n, id=value) for n, value in enumerate(values)], [])
    dataset = read_dataset(local_objects, "music")
    assert str(dataset.table().schema.field("id").type) == kind
    read = [found.labels["id"] for found in dataset.clips()]
    assert read == ([str(value) for value in values] if kind == "string" else values)


def test_labels_may_have_the_names_of_other_columns(local_objects: ObjectStore) -> None:
    labels: dict[str, Label] = {
        "split": "a",
        "URI": "b",
        "dataset": "c",
        "label_split": "d",
        "genre": "e",
        "Genre": "f",
    }
    add_dataset(local_objects, "music", INFO, [clip(1, **labels)], [])
    dataset = read_dataset(local_objects, "music")

    columns = dataset.table().column_names[8:]
    assert columns == [
        "label_split",
        "label_URI",
        "label_dataset",
        "label_label_split",
        "genre",
        "label_Genre",
    ]
    assert next(dataset.clips()).labels == labels
    assert next(dataset.clips()).split is None


def test_adding_the_same_again_changes_nothing(objects: ObjectStore, contents: Any) -> None:
    clips = [clip(n) for n in range(5)]
    add_dataset(objects, "music", INFO, clips, FAILURES)
    before = dict(objects.versions("datasets"))
    reworded = [replace(FAILURES[0], message="other words of another version")]
    add_dataset(objects, "music", INFO, clips, reworded)

    assert dict(objects.versions("datasets")) == before


def test_what_is_said_about_a_dataset_may_change(local_objects: ObjectStore) -> None:
    add_dataset(local_objects, "music", INFO, [clip(1)], [])
    moved = {**INFO, "root": {"kind": "url", "url": "s3://elsewhere"}}
    dataset = add_dataset(local_objects, "music", moved, [clip(1)], [])

    assert dataset.info["root"]["url"] == "s3://elsewhere"
    assert list(dataset.clips()) == [clip(1)]


@pytest.mark.parametrize(
    "changed",
    [[clip(2)], [clip(1), clip(2)], [clip(1, genre="new")], [replace(clip(1), split="test")], []],
)
def test_other_content_is_a_conflict_until_replaced(local_objects: ObjectStore, changed: list[Clip]) -> None:
    add_dataset(local_objects, "music", INFO, [clip(1)], [])
    with pytest.raises(Conflict, match="'music' already exists"):
        add_dataset(local_objects, "music", INFO, changed, [])
    assert list(read_dataset(local_objects, "music").clips()) == [clip(1)]

    add_dataset(local_objects, "music", INFO, changed, [], replace=True)
    assert list(read_dataset(local_objects, "music").clips()) == changed


@pytest.mark.parametrize(
    "document", [{"dataset": "music"}, {"dataset": {"name": "music", "fingerprint": "x"}}]
)
def test_a_dataset_that_a_run_uses_is_never_replaced(
    local_objects: ObjectStore, world: Any, document: dict[str, Any]
) -> None:
    add_dataset(local_objects, "music", INFO, [clip(1)], [])
    world.create(local_objects, document=document)

    assert users_of(local_objects, "music") == ["runs/world"]
    with pytest.raises(Conflict, match="runs/world used it"):
        add_dataset(local_objects, "music", INFO, [clip(2)], [], replace=True)


def test_a_dataset_exists_only_once_its_record_does(
    local_objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = local_objects.create

    def interrupted(key: str, buffers: Any) -> bool:
        if key == "datasets/music/dataset.json":
            raise KeyboardInterrupt
        return create(key, buffers)

    with monkeypatch.context() as patch:
        patch.setattr(local_objects, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            add_dataset(local_objects, "music", INFO, [clip(1)], [])
    assert dataset_names(local_objects) == []
    with pytest.raises(NotFound, match="it has: none"):
        read_dataset(local_objects, "music")

    add_dataset(local_objects, "music", INFO, [clip(2)], [])
    assert list(read_dataset(local_objects, "music").clips()) == [clip(2)]


def test_a_truncated_table_is_corrupt_data(local_objects: ObjectStore) -> None:
    add_dataset(local_objects, "music", INFO, [clip(1)], [])
    key = "datasets/music/clips.parquet"
    local_objects.put(key, local_objects.get(key)[:-1])

    with pytest.raises(CorruptData, match=r"clips.parquet"):
        read_dataset(local_objects, "music").table()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "white space"])
def test_names_that_cannot_be_folders_are_refused(local_objects: ObjectStore, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a dataset"):
        add_dataset(local_objects, name, INFO, [], [])


def test_the_order_of_clips_is_part_of_the_fingerprint(local_objects: ObjectStore) -> None:
    one = add_dataset(local_objects, "one", INFO, [clip(1), clip(2)], [])
    two = add_dataset(local_objects, "two", INFO, [clip(2), clip(1)], [])
    same = add_dataset(local_objects, "same", INFO, [clip(1), clip(2)], [])

    assert one.fingerprint == same.fingerprint != two.fingerprint


def test_a_large_dataset_is_never_in_memory(
    local_objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 000 clips would take over 10 MB as records; the writer holds one row group."""
    monkeypatch.setattr("store.datasets.ROW_GROUP_CLIPS", 1000)

    def clips() -> Iterator[Clip]:
        return (clip(number, genre="rock", tempo=number) for number in range(20_000))

    add_dataset(local_objects, "warm-up", INFO, [clip(1)], [])
    tracemalloc.start()
    dataset = add_dataset(local_objects, "large", INFO, clips(), [])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    assert sum(1 for _ in dataset.clips()) == 20_000
    assert peak < 6 * 2**20
    tracemalloc.stop()


class Rival(CountedObjects):
    """Lets another command run just before a write, or stops there as a killed process would."""

    def __init__(self, objects: ObjectStore, before: int, act: Callable[[], object]) -> None:
        super().__init__(objects)
        self._left, self._act = before, act

    def _comes(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._act()

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        self._comes()
        return super().create(key, [bytes(buffer) for buffer in buffers])

    def put(self, key: str, data: Buffer) -> None:
        self._comes()
        super().put(key, bytes(data))


def _contents(objects: ObjectStore, name: str) -> list[list[Clip]]:
    """The clips of every version."""
    return [list(read_dataset(objects, name, version).clips()) for version in versions_of(objects, name)]


@pytest.mark.parametrize("begun", [[], [[clip(1)]]], ids=["new", "grown"])
def test_of_two_commands_that_add_at_once_neither_harms_the_other_before_any_write(
    objects: ObjectStore, begun: list[list[Clip]]
) -> None:
    """Versions follow each other: the second is beside what the first added, whoever that is."""
    write_format(objects)
    mine, other, decided = [clip(1), clip(3)], [clip(1), clip(2)], 3 + len(begun)
    for write in range(decided + 2):
        name = f"music{write}"
        for clips in begun:
            add_dataset(objects, name, INFO, clips, [])
        act = partial(add_dataset, objects, name, INFO, other, [], extend=True)
        added = add_dataset(Rival(objects, write, act), name, INFO, mine, [], extend=True)
        assert list(added.clips()) == mine
        come = [other, mine] if write < decided else [mine, other] if write == decided else [mine]
        assert _contents(objects, name) == begun + come
        for version in versions_of(objects, name)[1:]:
            counts = read_dataset(objects, name, version).info["changes"]
            assert (counts["added"], counts["gone"]) == (1, 0 if begun and version == 2 else 1)
    assert {entry.problem for entry in inspect(objects)} <= {"note"}


@pytest.mark.parametrize("begun", [[], [[clip(1)]]], ids=["new", "grown"])
def test_what_a_killed_command_began_is_finished_or_replaced_by_the_next(
    local_objects: ObjectStore, begun: list[list[Clip]]
) -> None:
    write_format(local_objects)
    mine, other, decided = [clip(1), clip(3)], [clip(1), clip(2)], 3 + len(begun)

    def killed() -> None:
        raise KeyboardInterrupt

    for write in range(decided + 1):
        name = f"music{write}"
        for clips in begun:
            add_dataset(local_objects, name, INFO, clips, [])
        with pytest.raises(KeyboardInterrupt):
            add_dataset(Rival(local_objects, write, killed), name, INFO, mine, [], extend=True)
        assert (name in dataset_names(local_objects)) == bool(begun)
        add_dataset(local_objects, name, INFO, other, [], extend=True)
        come = [mine, other] if write == decided else [other]
        assert _contents(local_objects, name) == begun + come, "whole but for its record, it is a version"
    assert {entry.problem for entry in inspect(local_objects)} <= {"note"}
    old = replace(Wanted(), older_than_days=-1.0)
    assert collect(local_objects, find_garbage(local_objects, old))
    assert inspect(local_objects) == []


def test_replacing_and_renaming_leave_no_later_version(local_objects: ObjectStore) -> None:
    add_dataset(local_objects, "music", INFO, [clip(1)], [])
    second = add_dataset(local_objects, "music", INFO, [clip(1), clip(2)], [], extend=True)
    assert versions_of(local_objects, "music") == [1, 2]
    renamed = add_dataset(local_objects, "tunes", second.info, second.clips(), [])
    assert (renamed.version, list(renamed.clips())) == (1, [clip(1), clip(2)])
    replaced = add_dataset(local_objects, "music", INFO, [clip(9)], [], replace=True)
    assert (replaced.version, list(replaced.clips())) == (1, [clip(9)])
    assert versions_of(local_objects, "music") == [1]
