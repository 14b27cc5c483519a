"""Opening a store and finding what is in it."""

from pathlib import Path
from typing import Any

import pytest

from store.errors import CorruptData, InvalidInput, NotFound, StorageError
from store.objects.sealed import sealed_json
from store.opening import open_store


def test_a_store_is_made_once_and_opened_ever_after(store_url: str) -> None:
    with pytest.raises(NotFound, match=r"no Undertone store.*dataset add"):
        open_store(store_url)
    open_store(store_url, create=True)
    open_store(store_url, create=True)

    store = open_store(store_url)
    assert store.url == store_url
    assert (store.runs(), store.datasets(), store.all_codes()) == ([], [], [])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "no json", '{"format": "undertone", "version": 2}', "\0" * 70]
)
def test_a_damaged_beginning_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "undertone.json").write_text(text)

    with pytest.raises(CorruptData, match=r"undertone\.json disagrees .*undertone repair"):
        open_store(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "undertone.json").write_bytes(sealed_json({"format": "undertone", "version": 4}))

    with pytest.raises(InvalidInput, match=r"format 4; this version of Undertone reads 3"):
        open_store(tmp_path)


def test_an_older_format_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "undertone.json").write_text('{"format": "undertone", "version": 1}')

    with pytest.raises(InvalidInput, match=r"format 1.*undertone upgrade"):
        open_store(tmp_path)


def test_runs_and_codes_open_by_the_beginning_of_their_ids(store_url: str, world: Any) -> None:
    store = open_store(store_url, create=True)
    arguments = {"arrays": world.arrays, "clips": world.clips, "unit_clips": 8}
    for run_id in ("abc1", "abc2", "abc"):
        store.create_run(run_id, document={"id": run_id}, **arguments)
    store.create_codes("music-4s-codec", document={}, **arguments)

    assert store.runs() == ["abc", "abc1", "abc2"]
    assert store.run("abc2").document["id"] == "abc2"
    assert store.run("abc").document["id"] == "abc"
    with pytest.raises(InvalidInput, match="abc, abc1, abc2"):
        store.run("ab")
    with pytest.raises(NotFound, match=r"no run 'x'.*abc, abc1, abc2"):
        store.run("x")
    with pytest.raises(NotFound):
        store.run("")
    assert store.codes("music").prefix == "codes/music-4s-codec"
    assert (store.codes("music").group, store.run("abc1").group) == (
        "codes/music-4s-codec/codes.zarr",
        "runs/abc1/activations.zarr",
    )


def test_a_run_without_its_record_does_not_exist_yet(tmp_path: Path, world: Any) -> None:
    store = open_store(tmp_path, create=True)
    world.create(store.objects)
    store.objects.delete("records/runs/world/run.json.json")

    assert store.runs() == []


def test_a_store_in_the_working_directory_has_an_absolute_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("here", create=True)
    monkeypatch.chdir("/")

    assert store.url == str(tmp_path / "here")
    assert store.datasets() == []


@pytest.mark.parametrize("place", ["notes.txt", "notes.txt/below/s"])
@pytest.mark.parametrize("create", [False, True])
def test_a_file_where_a_store_should_be_is_said_to_be_one(tmp_path: Path, place: str, create: bool) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NotFound, match=r"notes\.txt is a file, and a store is a folder"):
        open_store(tmp_path / place, create=create)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_where_no_store_can_be_made_another_place_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "s").symlink_to(tmp_path / "an unmounted disk/s")  # no folder can be made, whoever asks
    with pytest.raises(StorageError, match=r"Cannot write .*Choose another place"):
        open_store(tmp_path / "s", create=True)
