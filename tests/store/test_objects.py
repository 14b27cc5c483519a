"""One suite for both kinds of storage."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from store.errors import CorruptData, InvalidInput, NotFound, StorageError, UnsupportedStore
from store.objects.local import LocalObjects
from store.objects.protocol import Buffer, ObjectStore
from store.objects.storage import open_objects, probe_create
from store.opening import open_store


def test_a_created_object_is_read_back_whole(objects: ObjectStore) -> None:
    assert objects.create("a/b.bin", [b"one", memoryview(b" two")])

    assert objects.get("a/b.bin") == b"one two"
    assert objects.size("a/b.bin") == 7
    assert objects.exists("a/b.bin")


def test_a_view_is_what_is_read_and_cannot_be_written_to(objects: ObjectStore) -> None:
    objects.create("a/b.bin", [b"one ", b"two"])
    objects.create("empty", [])
    view = objects.view("a/b.bin")
    assert (bytes(view), view.readonly) == (b"one two", True)
    assert bytes(objects.view("empty")) == b""
    with pytest.raises(NotFound):
        objects.view("absent")


def test_create_never_overwrites(objects: ObjectStore) -> None:
    objects.create("key", [b"first"])

    assert not objects.create("key", [b"second"])
    assert objects.get("key") == b"first"


def test_put_replaces(objects: ObjectStore) -> None:
    objects.put("key", b"first")
    objects.put("key", b"second, longer")

    assert objects.get("key") == b"second, longer"


def test_byte_ranges_arrive_in_the_memory_given(objects: ObjectStore) -> None:
    data = np.arange(1000, dtype=np.uint8).tobytes()
    objects.create("key", [data])
    memory = np.zeros(30, np.uint8)
    view = memory.data

    objects.read_ranges("key", [(900, view[:10]), (0, view[20:]), (5, view[10:20])])

    assert memory.tobytes() == data[900:910] + data[5:15] + data[:10]


def test_a_range_beyond_the_end_is_corrupt_data(objects: ObjectStore) -> None:
    objects.create("key", [b"12345"])

    with pytest.raises((CorruptData, StorageError), match="key"):
        objects.read_ranges("key", [(3, memoryview(bytearray(4)))])


def test_absent_objects_are_told_apart_from_empty_ones(objects: ObjectStore) -> None:
    objects.create("empty", [b""])

    assert objects.get("empty") == b""
    assert objects.size("empty") == 0
    assert objects.size("absent") is None
    assert not objects.exists("absent")
    with pytest.raises(NotFound, match="absent"):
        objects.get("absent")
    with pytest.raises(NotFound, match="absent"):
        objects.read_ranges("absent", [(0, memoryview(bytearray(1)))])


def test_deleting_twice_is_no_error(objects: ObjectStore) -> None:
    objects.create("key", [b"x"])
    objects.delete("key")
    objects.delete("key")

    assert not objects.exists("key")


def test_listing_gives_all_keys_below_a_folder_in_order(objects: ObjectStore) -> None:
    for key in ("b/z", "b/2", "b/10", "a/1", "b/deep/er/3", "bb/4"):
        objects.create(key, [key.encode()])

    assert [key for key, _ in objects.list("b")] == ["b/10", "b/2", "b/deep/er/3", "b/z"]
    assert dict(objects.list("b"))["b/deep/er/3"] == len("b/deep/er/3")
    assert len(list(objects.list(""))) == 6
    assert list(objects.list("nowhere")) == []
    assert objects.folders("b") == ["deep"]
    assert objects.folders("") == ["a", "b", "bb"]
    assert objects.folders("nowhere") == []


def test_a_version_changes_exactly_when_the_object_does(objects: ObjectStore) -> None:
    objects.put("a", b"one")
    objects.put("b", b"one")
    before = dict(objects.versions(""))
    objects.put("b", b"two")
    after = dict(objects.versions(""))

    assert before["a"] == after["a"]
    assert before["b"] != after["b"]


_RACER = """
import json, sys
from store.objects.storage import open_objects
url, name = sys.argv[1:]
objects = open_objects(url)
objects.exists("warm up")
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([objects.create(f"contested/{number}", [name.encode() * 1000]) for number in range(10)]))
"""


def test_of_many_processes_exactly_one_creates_an_object(store_url: str) -> None:
    names = ["a", "b", "c", "d"]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, store_url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = {name: json.loads(racer.communicate()[0]) for name, racer in zip(names, racers, strict=True)}

    objects = open_objects(store_url)
    for number in range(10):
        winners = [name for name in names if won[name][number]]
        assert len(winners) == 1
        assert objects.get(f"contested/{number}") == winners[0].encode() * 1000


@pytest.mark.parametrize("key", ["../outside", "a//b", "/absolute", "a/../../b", ""])
def test_keys_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidInput, match="not a key"):
        LocalObjects(tmp_path / "store").create(key, [b"x"])


def test_file_urls_may_hold_spaces_and_letters_of_any_script(tmp_path: Path) -> None:
    folder = tmp_path / "naïve café"

    assert open_objects(folder.as_uri()).url == str(folder)


def test_an_unknown_scheme_is_refused_with_the_legal_ones() -> None:
    with pytest.raises(InvalidInput, match=r"ftp://host.*s3://"):
        open_objects("ftp://host/store")


def test_half_written_files_are_invisible_and_swept_when_old(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    (tmp_path / ".temporary").mkdir()
    (tmp_path / ".temporary/left-over").write_bytes(b"half")

    assert list(objects.list("")) == []
    assert objects.sweep(older_than_seconds=3600) == 0
    assert objects.sweep(older_than_seconds=-1) == 1
    assert list((tmp_path / ".temporary").iterdir()) == []


class _Overwriting(LocalObjects):
    """A server that ignores If-None-Match, as some do."""

    def create(self, key: str, buffers: Sequence[Buffer]) -> bool:
        self.put(key, b"".join(buffers))
        return True


def test_a_storage_that_ignores_conditional_writes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedStore, match="conditional writes"):
        probe_create(_Overwriting(tmp_path))

    monkeypatch.setattr("store.opening.open_objects", _Overwriting)
    with pytest.raises(UnsupportedStore):
        open_store(tmp_path / "new", create=True)


def test_the_probe_leaves_nothing_behind(objects: ObjectStore) -> None:
    probe_create(objects)

    assert list(objects.list("")) == []


def test_a_file_system_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Iterator[None]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    with pytest.raises(UnsupportedStore, match="hard links"):
        LocalObjects(tmp_path / "store").create("key", [b"x"])
