"""Where a dataset's audio is: what was said, else what the store says, else what this user used."""

import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from jobs.dataset.roots import remember_root, resolve_root, roots_file
from pipelines.audio.files import Root, open_root
from store import Dataset, Store
from store.errors import InvalidInput, NotFound, NotPlain, StorageError


@dataclass
class Stub:
    """What resolving a root reads of a store and of a dataset."""

    name: str
    info: dict[str, Any]
    url: str

    @property
    def fingerprint(self) -> str:
        """Of the dataset."""
        return str(self.info["fingerprint"])

    def datasets(self) -> list[str]:
        """Of the store."""
        return [self.name]


def resolved(root: dict[str, str], *options: str, store_url: str = "/stores/s") -> Root:
    stub = Stub("songs", {"root": root, "fingerprint": "f00d"}, store_url)
    return resolve_root(cast(Store, stub), cast(Dataset, stub), options)


def test_the_option_wins(tmp_path: Path) -> None:
    remember_root("f00d", Root("/elsewhere"))
    for root in ({"kind": "local"}, {"kind": "url", "url": "s3://b/p"}, {"kind": "store", "path": "audio"}):
        assert resolved(root, f"songs={tmp_path}").url == str(tmp_path)


def test_an_option_for_a_dataset_that_the_store_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such dataset; it has songs"):
        resolved({"kind": "local"}, f"sogns={tmp_path}")


def test_a_url_and_a_folder_of_the_store_need_no_option(tmp_path: Path) -> None:
    assert resolved({"kind": "url", "url": "s3://bucket/songs"}).url == "s3://bucket/songs"
    (tmp_path / "datasets/songs/audio").mkdir(parents=True)
    inside = {"kind": "store", "path": "datasets/songs/audio"}
    assert resolved(inside, store_url=str(tmp_path)).url == f"{tmp_path}/datasets/songs/audio"
    assert resolved(inside, store_url="s3://bucket/store/").url == "s3://bucket/store/datasets/songs/audio"


@pytest.mark.parametrize("path", ["../../etc", "/etc", "audio/../../etc"])
def test_a_stranger_s_store_cannot_name_a_folder_outside_of_itself(tmp_path: Path, path: str) -> None:
    for url in (str(tmp_path), "s3://bucket/store"):
        with pytest.raises(InvalidInput, match=r"leads out of .*must lie in the store"):
            resolved({"kind": "store", "path": path}, store_url=url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "/etc",
            "file:///etc",
            "relative",
            "local:///etc",
            "simplecache::file:///etc",
            "FILE:///etc",
            " file:///etc",
        ),
        *("filecache::local:///etc", "https::file:///etc", "s3://b/x::file:///etc", "zip://x::/etc/x.zip"),
        *(
            "ftp://localhost/x",
            "memory://x",
            "reference:///etc",
            "/x::file:///etc",
            "dask:///etc",
            "ssh://h/x",
        ),
    ],
)
def test_a_stranger_s_store_cannot_name_a_folder_of_this_machine_as_a_url(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"--root songs=PATH"):
        resolved({"kind": "url", "url": url})


@pytest.mark.parametrize(
    "url", ["local:///etc", "simplecache::file:///etc", "s3://b/x::file:///etc", "ftp://h/x"]
)
def test_one_list_of_urls_counts_for_everything_that_opens_audio(tmp_path: Path, url: str) -> None:
    said = r"is no place for audio: give a folder or one URL, s3://"
    with pytest.raises(InvalidInput, match=said):
        open_root(url)
    with pytest.raises(InvalidInput, match=said):
        resolved({"kind": "local"}, f"songs={url}")
    with pytest.raises(InvalidInput, match="no place for audio"):
        resolved({"kind": "store", "path": "x::file:///etc"}, store_url=f"{tmp_path}")


def test_a_server_that_does_not_answer_is_a_sentence() -> None:
    root = open_root("http://127.0.0.1:1/music")
    for asked in (lambda: root.open("a.wav"), root.files):
        with pytest.raises(
            StorageError, match=r"http://127\.0\.0\.1:1/music cannot be read: .*Check the URL"
        ):
            asked()


def test_a_file_system_that_is_not_installed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StorageError, match=r"gs://bucket/x cannot be read: .*gcsfs"):
        open_root("gs://bucket/x").files()


def test_links_that_lead_out_of_a_store_are_not_followed_to_audio(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "audio").mkdir(parents=True)
    (tmp_path / "private.wav").write_bytes(b"private")
    (store / "inside.wav").write_bytes(b"sound")
    (store / "audio/a.wav").symlink_to(tmp_path / "private.wav")
    (store / "audio/b.wav").symlink_to("../inside.wav")
    (store / "elsewhere").symlink_to(tmp_path)
    root = resolved({"kind": "store", "path": "audio"}, store_url=str(store))
    with pytest.raises(InvalidInput, match=r"'a\.wav' leads out of the store"):
        root.open("a.wav")
    with root.open("b.wav") as file:
        assert file.read() == b"sound"
    linked = resolved({"kind": "store", "path": "elsewhere"}, store_url=str(store))
    with pytest.raises(InvalidInput, match="leads out of the store"):
        linked.open("private.wav")


def test_a_pipe_among_audio_files_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(NotPlain, match=r"a\.wav"):
        Root(str(tmp_path)).open("a.wav")


def test_a_folder_is_remembered_for_this_user_outside_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "müsic").mkdir()
    remember_root("f00d", open_root(tmp_path / "müsic"))
    assert resolved({"kind": "local"}).url == f"{tmp_path}/müsic"
    assert roots_file().is_relative_to(tmp_path / "state")


def test_a_folder_nobody_named_or_that_is_gone_asks_for_the_option(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="add --root songs=PATH"):
        resolved({"kind": "local"})
    remember_root("f00d", Root(f"{tmp_path}/gone"))
    with pytest.raises(NotFound, match=r"gone, which is gone; add --root songs=PATH"):
        resolved({"kind": "local"})


@pytest.mark.parametrize("option", ["songs", "=/music", "songs="])
def test_an_option_that_names_no_path_is_refused(option: str) -> None:
    with pytest.raises(InvalidInput, match="is not NAME=PATH"):
        resolved({"kind": "local"}, option)


def test_jobs_that_finish_together_forget_nothing() -> None:
    threads = [
        threading.Thread(target=remember_root, args=(f"dataset-{number}", Root(f"/{number}")))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert json.loads(roots_file().read_text()) == {f"dataset-{number}": f"/{number}" for number in range(20)}
