"""A file is known by size and time, or by what its bucket calls it; then few of its bytes need be read."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from pipelines.audio.file_states import FileStates
from pipelines.audio.files import Root, open_root
from pipelines.audio.recordings import Recordings
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from store.errors import AudioError
from store.records import PlannedClip, Recording

Write = Callable[..., Any]
SPEC = ClipSpec("d", 1.0, 1.0, trust_etag=True)


def planned(root: Root, name: str) -> list[PlannedClip]:
    (clips,) = cut_recordings(root, [Recording(name, name)], SPEC)
    assert isinstance(clips, list)
    return [PlannedClip(c.clip_id, c.uri, c.start_seconds, 1.0, "", c.sha256) for c in clips]


def test_a_file_of_this_machine_has_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"abc")
    state = FileStates(open_root(tmp_path)).state("a.wav")
    assert state is not None
    assert (state.nbytes, state.etag) == (3, None)
    assert state.stamp == f"mtime:{(tmp_path / 'a.wav').stat().st_mtime_ns}"
    assert FileStates(open_root(tmp_path)).state("gone.wav") is None


def test_a_bucket_says_the_states_of_a_folder_at_once(s3_endpoint: str, s3_url: str) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=s3_endpoint)
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    for name in "abc":
        client.put_object(Bucket=bucket, Key=f"{prefix}/{name}.wav", Body=name.encode())
    root = open_root(s3_url)
    states = FileStates(root)
    for name in "abc":
        state = states.state(f"{name}.wav")
        assert state is not None
        assert (state.nbytes, state.etag) == (1, f"etag:{md5(name.encode()).hexdigest()}")
    client.put_object(Bucket=bucket, Key=f"{prefix}/d.wav", Body=b"d")
    assert states.state("d.wav") is None  # it came after the listing that was asked for
    assert FileStates(root).state("d.wav") is not None


def test_a_trusted_etag_stands_for_bytes_that_are_not_read(
    tmp_path: Path, write_audio: Write, served: Callable[[Path], Any]
) -> None:
    write_audio(tmp_path / "a.wav", 60.0, rate=22_050, channels=2)
    size = (tmp_path / "a.wav").stat().st_size
    etag = md5((tmp_path / "a.wav").read_bytes()).hexdigest()
    with served(tmp_path) as traffic:
        clips = planned(Root(traffic.url), "a.wav")
        assert traffic.nbytes["a.wav"] < 0.1 * size
        assert len(clips) == 60
        assert {clip.sha256 for clip in clips} == {f"etag:{etag}"}
        traffic.nbytes.clear()
        recordings = Recordings(Root(traffic.url), sample_rate=22_050)
        for clip in clips:
            recordings.decode(clip)
        assert traffic.nbytes["a.wav"] <= 1.1 * size
        write_audio(tmp_path / "a.wav", 60.0, rate=22_050, channels=2, seed=1)
        with pytest.raises(AudioError, match="has changed since"):
            Recordings(Root(traffic.url), sample_rate=22_050).decode(clips[0])


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "float.wav"])
def test_files_whose_header_does_not_tell_enough_are_read_whole(
    tmp_path: Path, write_audio: Write, served: Callable[[Path], Any], name: str
) -> None:
    write_audio(tmp_path / name, 3.0, **({"subtype": "FLOAT"} if name == "float.wav" else {}))
    with served(tmp_path) as traffic:
        clips = planned(Root(traffic.url), name)
    assert not clips[0].sha256.startswith("etag:")


def test_a_copy_of_a_bucket_in_a_folder_is_compared_where_the_etag_is_a_checksum(
    tmp_path: Path, write_audio: Write, served: Callable[[Path], Any]
) -> None:
    write_audio(tmp_path / "a.wav", 2.0)
    with served(tmp_path) as traffic:
        clip = planned(Root(traffic.url), "a.wav")[0]
    Recordings(open_root(tmp_path), sample_rate=22_050).decode(clip)
    of_parts = replace(clip, sha256="etag:d41d8cd98f00b204e9800998ecf8427e-7")
    Recordings(open_root(tmp_path), sample_rate=22_050).decode(of_parts)  # nobody can tell
    write_audio(tmp_path / "a.wav", 2.0, seed=1)
    with pytest.raises(AudioError, match="has changed since"):
        Recordings(open_root(tmp_path), sample_rate=22_050).decode(clip)
