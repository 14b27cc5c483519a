"""Links, folders in the place of files, pipes and dying disks: verify names each, repair goes on."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from store.objects.ledger import Record, encode_record, entry_of, record_key
from store.objects.storage import open_objects
from store.upkeep.cures import cure_of
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend
from tests.jobs.damage.test_damage import KINDS, NOT_MENDED, file_of, flip

FOLDERS = [
    "results/measured",
    "results",
    "audio",
    "codes/c0de",
    "moments",
    "datasets/songs/audio",
    "runs/run/commits",
    "runs/run/activations.zarr",
    "runs/run/activations.zarr/resid.mean",
    "records/results",
    "records/runs/run/complete",
    "records/moments",
]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder of somebody's own, which nobody may change."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "thesis").write_text("precious")
    yield folder
    assert (folder / "thesis").read_text() == "precious"


def other(kind: str) -> str:
    """A file that is damaged too, to see that work goes on; another record names it."""
    return "state" if kind in ("sound", "rows of generations") else "sound"


def link(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.symlink_to(elsewhere / "thesis")


def dangling(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.symlink_to(elsewhere / "nothing")


def folder(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("x")
    (path / "out").symlink_to(elsewhere)


def pipe(path: Path, _: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("obstacle", [link, dangling, folder, pipe])
@pytest.mark.parametrize("kind", KINDS)
def test_every_obstacle_is_named_and_removed_without_following_it(
    store: Path, elsewhere: Path, kind: str, obstacle: Callable[[Path, Path], None]
) -> None:
    path = file_of(store, kind)
    key = path.relative_to(store).as_posix()
    flip(file_of(store, other(kind)))
    obstacle(path, elsewhere)
    objects = open_objects(store)

    found = damage(inspect(objects))
    main = re.sub(r"^records/(.*)\.json$", r"\1", key)
    named = {entry.key for entry in found}
    assert key in named or (kind.startswith("record") and main in named), named
    assert KINDS[other(kind)] in named
    assert all("undertone" in cure_of(entry, str(store)) for entry in found)

    done = mend(objects, found)
    assert not path.is_symlink()
    assert not path.is_dir()
    left = damage(inspect(open_objects(store)))
    if kind in NOT_MENDED:
        assert key in {entry.key for entry in done.left}
    else:
        assert {entry.problem for entry in left} <= {"reference"}, left


@pytest.mark.parametrize("key", ["runs/run/attempts/unit-000000.1", "runs/run/heartbeat/x"])
def test_a_link_among_files_that_prove_nothing_is_named_and_removed(
    store: Path, elsewhere: Path, key: str
) -> None:
    path = store / key
    path.parent.mkdir()
    path.with_name("unit-000001.1").write_text("anything")
    path.symlink_to(elsewhere / "thesis")
    found = damage(inspect(open_objects(store)))
    assert {entry.key: entry.problem for entry in found} == {key: "stranger"}
    mend(open_objects(store), found)
    assert not path.is_symlink()


def test_zarr_documents_are_compared_byte_by_byte(store: Path) -> None:
    path = store / "runs/run/activations.zarr/resid.mean/zarr.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"\n  ", b"\n\t"))
    found = damage(inspect(open_objects(store)))
    assert [(entry.problem, entry.key) for entry in found] == [
        ("metadata", path.relative_to(store).as_posix())
    ]
    mend(open_objects(store), found)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder_is_named_and_its_link_removed(store: Path, elsewhere: Path, name: str) -> None:
    shutil.move(store / name, elsewhere / "moved")
    (store / name).symlink_to(elsewhere / "moved")
    before = sorted(elsewhere.rglob("*"))
    objects = open_objects(store)

    found = damage(inspect(objects))
    assert any(entry.key == name and "symbolic link" in entry.detail for entry in found), found
    mend(objects, found)
    assert not (store / name).is_symlink()
    assert sorted(elsewhere.rglob("*")) == before
    left = damage(inspect(open_objects(store)))
    assert {entry.problem for entry in left} <= {"reference"} or name == "codes/c0de", left


@pytest.mark.parametrize("target", ["nothing", "itself"])
@pytest.mark.parametrize("name", ["runs/run/complete", "runs/run", "results/probes"])
def test_a_link_to_nowhere_in_the_place_of_a_folder_of_records_is_named_and_removed(
    store: Path, elsewhere: Path, name: str, target: str
) -> None:
    place = store / "records" / name
    if place.exists():
        shutil.rmtree(place)
    place.symlink_to(place if target == "itself" else elsewhere / "nothing")
    objects = open_objects(store)
    found = damage(inspect(objects))
    assert f"records/{name}" in {entry.key for entry in found}
    mend(objects, found)
    assert not place.is_symlink()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_dying_disk_holds_is_named_and_left_alone(
    store: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
) -> None:
    path = file_of(store, kind)
    key = path.relative_to(store).as_posix()
    data = path.read_bytes()
    flip(file_of(store, other(kind)))
    opened = os.open

    def dying(place: Any, *arguments: Any, **named: Any) -> int:
        if str(place) == str(path):
            raise OSError(number, os.strerror(number), str(place))
        return opened(place, *arguments, **named)

    monkeypatch.setattr(os, "open", dying)
    objects = open_objects(store)
    found = damage(inspect(objects))
    assert {entry.problem for entry in found if entry.key == key} <= {"unreadable", "metadata"}
    assert key in {entry.key for entry in found}
    assert KINDS[other(kind)] in {entry.key for entry in found}
    done = mend(objects, found)
    monkeypatch.undo()
    if kind not in ("Zarr group", "Zarr array"):  # these follow from the plan, and are written anew
        assert key in {entry.key for entry in done.left}
    if "record" not in kind:
        assert path.read_bytes() == data


def test_a_record_cannot_make_repair_remove_folders_of_the_store(store: Path) -> None:
    objects = open_objects(store)
    for number, key in enumerate(["results/measured", "runs/run", "records/runs", "datasets/songs/audio"]):
        name = f"results/measured/{number}.parquet"
        objects.put(record_key(name), encode_record(Record(name, "results", (entry_of(key, b"x"),))))
    files = {path for path in store.rglob("*") if path.is_file()}

    found = damage(inspect(objects))
    mend(objects, found)
    kept = {path for path in store.rglob("*") if path.is_file()}
    assert files - kept <= {
        store / "records/results/measured" / f"{number}.parquet.json" for number in range(4)
    }


def test_the_commands_end_with_a_table_and_what_is_left(store: Path, elsewhere: Path) -> None:
    link(file_of(store, "result"), elsewhere)
    link(file_of(store, "plan"), elsewhere)
    folder(file_of(store, "pooled shard"), elsewhere)

    shown = CliRunner().invoke(undertone, ["verify", str(store)], standalone_mode=False)
    assert shown.return_value == 1, shown.output
    for kind in ("result", "plan", "pooled shard"):
        assert Path(KINDS[kind]).parent.as_posix() in shown.output
    mended = CliRunner().invoke(undertone, ["repair", str(store)], standalone_mode=False)
    assert mended.return_value == 1, mended.output
    assert "not mended" in mended.output
