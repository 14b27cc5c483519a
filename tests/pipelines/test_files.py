"""A root names files the same way in a folder and in a bucket."""

import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

import boto3
import numpy as np
import pytest

from pipelines.audio.clips import decode_clip
from pipelines.audio.files import Root, open_root
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import open_source
from store.errors import InvalidInput, NotFound, NotPlain
from store.records import Recording

NAMES = ["b/c d/é–ü 音.txt", "a.txt", "b/a.txt", "b/z.txt"]
LARGE = bytes(range(251)) * 20_000


@pytest.fixture(scope="module")
def bucket(s3_endpoint: str) -> str:
    """URL of a bucket folder in an S3 server on this machine, which holds NAMES and a hidden file."""
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket="music")
    client.put_object(Bucket="music", Key="data/", Body=b"")
    for name in [*NAMES, ".hidden", "b/.git/x.txt"]:
        client.put_object(Bucket="music", Key=f"data/{name}", Body=name.encode())
    client.put_object(Bucket="music", Key="large/large.bin", Body=LARGE)
    client.close()
    return "s3://music/data"


def folder_with(tmp_path: Path, names: list[str]) -> Root:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return open_root(tmp_path)


def check_root(root: Root) -> None:
    assert list(root.walk()) == sorted(NAMES)
    assert list(root.walk("b")) == sorted(NAMES)[1:]
    assert root.folders() == ["b"]
    assert root.folders("b") == ["c d"]
    assert root.exists("b/a.txt")
    assert not root.exists("b/b.txt")
    for name in NAMES:
        with root.open(name) as file:
            file.seek(2)
            assert file.read() == name.encode()[2:]
    with pytest.raises(NotFound, match=r"b/b\.txt"):
        root.open("b/b.txt")


def test_a_folder_lists_its_files_in_order_without_hidden_ones(tmp_path: Path) -> None:
    check_root(folder_with(tmp_path / "with space é", [*NAMES, ".hidden", "b/.git/x.txt"]))


def test_a_bucket_is_like_a_folder(bucket: str) -> None:
    root = open_root(bucket + "/")
    assert not root.is_local
    check_root(root)


def test_a_large_file_in_a_bucket_is_read_in_ranges(bucket: str) -> None:
    with open_root(bucket.replace("data", "large")).open("large.bin") as file:
        for start in (4 << 20, 0, 3_333_333, 1 << 20):
            file.seek(start)
            assert file.read(100_000) == LARGE[start : start + 100_000]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3"])
def test_recordings_in_a_bucket_give_the_clips_that_they_give_in_a_folder(
    bucket: str, tmp_path: Path, write_audio: Callable[..., object], name: str
) -> None:
    write_audio(tmp_path / name, 6.0, rate=44_100, channels=2)
    client = boto3.client("s3")
    client.upload_file(str(tmp_path / name), "music", f"songs é/jazz/{name}")
    client.upload_file(str(tmp_path / name), "music", "songs é/text.txt")
    client.close()
    (tmp_path / "jazz").mkdir()
    (tmp_path / name).rename(tmp_path / "jazz" / name)
    clips, samples = [], []
    for source in (open_source(tmp_path), open_source("s3://music/songs é")):
        recordings = [r for r in source.list_recordings() if isinstance(r, Recording) and name in r.uri]
        (cut,) = cut_recordings(source.root, recordings, ClipSpec("d", 2.0, 2.0))
        assert isinstance(cut, list)
        clips.append(cut)
        samples.append([decode_clip(source.root, clip, sample_rate=32_000) for clip in cut])
    assert len(clips[0]) == 3
    assert clips[0] == clips[1]
    np.testing.assert_array_equal(samples[0], samples[1])


@pytest.mark.parametrize("uri", ["../secret.txt", "b/../../secret.txt", "/etc/passwd", "a\0b"])
def test_a_name_cannot_lead_outside_the_root(tmp_path: Path, uri: str) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    root = folder_with(tmp_path / "root", NAMES)
    with pytest.raises(InvalidInput, match="leads outside"):
        root.open(uri)


def test_links_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    root = folder_with(tmp_path / "root", ["a/x.txt"])
    folder_with(tmp_path / "elsewhere", ["y.txt"])
    (tmp_path / "root/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/a/up").symlink_to(tmp_path / "root")
    (tmp_path / "root/dangling.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "root/loop.txt").symlink_to("loop.txt")
    assert list(root.walk()) == ["a/x.txt", "dangling.txt", "linked/y.txt", "loop.txt"]


def test_what_is_no_file_is_listed_and_refused_one_by_one(tmp_path: Path) -> None:
    """A link to itself, a pipe, a socket and a device: none is waited for, and none hides the others."""
    root = folder_with(tmp_path, ["a.txt"])
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "device").symlink_to("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket"))
    assert list(root.walk()) == ["a.txt", "dangling", "device", "loop", "pipe", "socket"]
    for name, said in {"dangling": "no file", "loop": "back to itself"}.items():
        with pytest.raises(NotFound, match=said):
            root.open(name)
    for name in ("device", "pipe", "socket"):
        with pytest.raises(NotPlain, match=rf"'{name}' is no regular file"):
            root.open(name)


def test_a_missing_folder_and_a_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotFound, match="does not exist"):
        open_root(tmp_path / "nothing")
    with pytest.raises(NotFound, match="is a file"):
        open_root(tmp_path / "file")


def test_a_password_in_a_url_is_refused() -> None:
    with pytest.raises(InvalidInput, match="password"):
        open_root("https://me:secret@example.org/music")


def test_a_root_travels_to_other_processes(tmp_path: Path) -> None:
    root = folder_with(tmp_path, NAMES)
    assert pickle.loads(pickle.dumps(root)) == root
    relative = open_root(os.path.relpath(tmp_path))
    assert Path(relative.url).is_absolute()
