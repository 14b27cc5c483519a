"""A store from a stranger leads nowhere: links and pipes below it are refused, never followed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store.arrays.verification import repair
from store.errors import CorruptData, StorageError, UndertoneError
from store.objects.local import LocalObjects
from store.objects.protocol import ObjectStore
from store.opening import open_store


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of somebody's own files."""
    folder = tmp_path / "victim"
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "chapter.txt").write_text("precious")
    (folder / "key").write_text("private")
    os.utime(folder / "key", (0, 0))
    return folder


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _read(objects: ObjectStore, key: str) -> None:
    objects.read_ranges(key, [(0, memoryview(bytearray(3)))])


ACTIONS: dict[str, Callable[[ObjectStore, str], object]] = {
    "get": lambda objects, key: objects.get(key),
    "view": lambda objects, key: objects.view(key),
    "size": lambda objects, key: objects.size(key),
    "exists": lambda objects, key: objects.exists(key),
    "read_ranges": _read,
    "create": lambda objects, key: objects.create(key, [b"x"]),
    "put": lambda objects, key: objects.put(key, b"x"),
    "delete": lambda objects, key: objects.delete(key),
    "list": lambda objects, key: list(objects.list(key.rpartition("/")[0])),
    "versions": lambda objects, key: list(objects.versions(key.rpartition("/")[0])),
    "folders": lambda objects, key: objects.folders(key.rpartition("/")[0]),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("warm", [False, True])
def test_a_linked_folder_is_named_and_nothing_in_it_is_touched(
    tmp_path: Path, victim: Path, action: str, warm: bool
) -> None:
    objects = LocalObjects(tmp_path / "store")
    objects.put("runs/r/run.json", b"{}")
    if warm:
        assert list(objects.list("runs"))
    (tmp_path / "store/runs/r/linked").symlink_to(victim)
    before = _files(victim)
    with pytest.raises(CorruptData, match=r"runs/r/linked is a symbolic link"):
        ACTIONS[action](objects, "runs/r/linked/key")
    assert _files(victim) == before


@pytest.mark.parametrize("action", ["get", "view", "size", "exists", "read_ranges", "create"])
@pytest.mark.parametrize("target", ["key", "nothing"])
def test_a_linked_file_is_named_and_not_read(tmp_path: Path, victim: Path, action: str, target: str) -> None:
    objects = LocalObjects(tmp_path / "store")
    objects.put("audio/real.flac", b"sound")
    (tmp_path / "store/audio/a.flac").symlink_to(victim / target)
    with pytest.raises(CorruptData, match=r"audio/a\.flac is a symbolic link"):
        ACTIONS[action](objects, "audio/a.flac")
    assert not (victim / "nothing").exists()


def test_deleting_or_replacing_a_linked_file_leaves_what_it_names(tmp_path: Path, victim: Path) -> None:
    objects = LocalObjects(tmp_path / "store")
    objects.put("audio/real.flac", b"sound")
    for action in (objects.delete, lambda key: objects.put(key, b"mine")):
        (tmp_path / "store/audio/a.flac").symlink_to(victim / "key")
        action("audio/a.flac")
        assert (victim / "key").read_text() == "private"
    assert objects.get("audio/a.flac") == b"mine"


@pytest.mark.parametrize("action", ["get", "view", "size", "exists", "read_ranges"])
def test_a_pipe_in_a_file_s_place_is_refused_and_not_waited_for(tmp_path: Path, action: str) -> None:
    objects = LocalObjects(tmp_path / "store")
    objects.put("audio/real.flac", b"sound")
    os.mkfifo(tmp_path / "store/audio/a.flac")
    with pytest.raises((CorruptData, StorageError), match=r"audio/a\.flac"):
        ACTIONS[action](objects, "audio/a.flac")


def test_opening_deletes_nothing_behind_a_linked_folder_for_temporary_files(
    tmp_path: Path, victim: Path
) -> None:
    open_store(tmp_path / "store", create=True)
    (tmp_path / "store/.temporary").rmdir()
    (tmp_path / "store/.temporary").symlink_to(victim)
    before = _files(victim)
    with pytest.raises(CorruptData, match=r"\.temporary is a symbolic link"):
        open_store(tmp_path / "store", create=True)
    assert _files(victim) == before


def test_a_link_to_a_file_among_temporary_files_is_swept_without_it(tmp_path: Path, victim: Path) -> None:
    open_store(tmp_path / "store", create=True)
    (tmp_path / "store/.temporary/x").symlink_to(victim / "key")
    LocalObjects(tmp_path / "store").sweep(-1)
    assert (victim / "key").read_text() == "private"


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    open_store(tmp_path / "store", create=True)
    (tmp_path / "link").symlink_to(tmp_path / "store")
    linked = open_store(tmp_path / "link", create=True)
    linked.objects.put("runs/a", b"x")
    assert open_store(tmp_path / "store").objects.get("runs/a") == b"x"


def test_repair_deletes_nothing_behind_linked_arrays(
    local_objects: ObjectStore, world: Any, victim: Path
) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    arrays = Path(local_objects.url) / collection.group
    arrays.rename(victim / "arrays")
    arrays.symlink_to(victim)
    before = _files(victim)
    again = LocalObjects(Path(local_objects.url))
    with pytest.raises(UndertoneError, match="is a symbolic link"):
        repair(world.create(again), [])
    assert _files(victim) == before


@pytest.mark.parametrize("place", ["group", "array", "shard"])
def test_zarr_and_xarray_are_not_given_links_to_follow(
    local_objects: ObjectStore, world: Any, victim: Path, place: str
) -> None:
    collection = world.create(local_objects)
    world.write_all(collection)
    group = Path(local_objects.url) / collection.group
    name = next(iter(collection.arrays))
    shard = next(path for path in (group / name).rglob("c*") if path.is_file())
    linked = {"group": group, "array": group / name, "shard": shard}[place]
    linked.rename(victim / "moved")
    linked.symlink_to(victim / "moved")
    for reader in (collection.as_zarr, lambda: collection.as_xarray(name)):
        with pytest.raises(CorruptData, match="is a symbolic link"):
            reader()
