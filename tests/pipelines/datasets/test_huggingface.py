"""Parquet of Hugging Face: audio in a column, classes by number, shards by name.

As `datasets` 4 writes it (`Dataset.to_parquet`, `push_to_hub`): a struct of `bytes` and `path`, features in
the schema's metadata under "huggingface", shards `data/train-00000-of-00002.parquet`.
"""

import io
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from pipelines.audio.clips import decode_clip
from pipelines.audio.files import open_root
from pipelines.audio.recordings import Recordings
from pipelines.datasets.cutting import ClipSpec, cut_recordings
from pipelines.datasets.formats import open_source
from pipelines.datasets.huggingface import split_of
from store.errors import AudioError, InvalidInput, NotFound
from store.records import Clip, Failure, PlannedClip, Recording

RATE = 16_000
AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def tone(pitch: float) -> bytes:
    file = io.BytesIO()
    samples = 0.3 * np.sin(2 * np.pi * pitch * np.arange(2 * RATE) / RATE)
    soundfile.write(file, samples, RATE, format="FLAC")
    return file.getvalue()


def write_shard(path: Path, pitches: Sequence[float], **columns: Any) -> list[bytes]:
    """A shard with a row per pitch and two rows a group."""
    sounds = [tone(pitch) for pitch in pitches]
    rows = [{"bytes": sound, "path": f"{pitch:g}.flac"} for sound, pitch in zip(sounds, pitches, strict=True)]
    table = pa.table({"audio": pa.array(rows, AUDIO), **columns})
    names = {"genre": {"names": ["blues", "rock"], "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}
    metadata = {"huggingface": json.dumps({"info": {"features": names}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=2)
    return sounds


def clips_of(path: Path) -> list[Clip]:
    source = open_source(path)
    assert source.format.name == "huggingface"
    results = list(cut_recordings(source.root, source.list_recordings(), ClipSpec("hf", 1.0, 1.0)))
    assert not [result for result in results if isinstance(result, Failure)]
    return [clip for result in results if not isinstance(result, Failure) for clip in result]


def test_rows_of_one_file_are_recordings_with_names_of_classes(tmp_path: Path) -> None:
    shard = tmp_path / "train-00000-of-00001.parquet"
    sounds = write_shard(shard, [300, 400, 500], genre=[0, 1, 1])
    first, second, *_ = source_recordings = list(open_source(shard).list_recordings())
    assert first == Recording(
        "train-00000-of-00001.parquet#0",
        group="train-00000-of-00001.parquet#0",
        split="train",
        labels={"audio_path": "300.flac", "genre": "blues"},
    )
    assert isinstance(second, Recording)
    assert second.labels["genre"] == "rock"
    assert len(source_recordings) == 3
    clips = clips_of(shard)
    assert [clip.sha256 for clip in clips[::2]] == [sha256(sound).hexdigest() for sound in sounds]


def test_shards_of_a_folder_keep_their_splits_and_groups(tmp_path: Path) -> None:
    for number in range(2):
        write_shard(tmp_path / f"data/train-0000{number}-of-00002.parquet", [300 + number], artist=["Ann"])
    write_shard(tmp_path / "data/validation-00000-of-00001.parquet", [500], artist=[None])
    (tmp_path / "README.md").write_text("a card")
    clips = clips_of(tmp_path)
    assert {(clip.uri, clip.split, clip.group) for clip in clips} == {
        ("data/train-00000-of-00002.parquet#0", "train", "Ann"),
        ("data/train-00001-of-00002.parquet#0", "train", "Ann"),
        (
            "data/validation-00000-of-00001.parquet#0",
            "validation",
            "data/validation-00000-of-00001.parquet#0",
        ),
    }


def test_a_shard_that_cannot_be_read_is_a_failure_and_the_others_are_listed(tmp_path: Path) -> None:
    write_shard(tmp_path / "data/train-00001-of-00003.parquet", [300, 400])
    (tmp_path / "data/train-00000-of-00003.parquet").write_text(
        "version https://git-lfs.github.com/spec/v1\n"
    )
    (tmp_path / "data/train-00002-of-00003.parquet").symlink_to("nowhere")
    source = open_source(tmp_path)
    assert source.format.name == "huggingface"
    first, *recordings, last = source.list_recordings()
    assert [one.uri for one in recordings if isinstance(one, Recording)] == [
        "data/train-00001-of-00003.parquet#0",
        "data/train-00001-of-00003.parquet#1",
    ]
    assert isinstance(first, Failure)
    assert isinstance(last, Failure)
    assert "cannot be read as Parquet" in first.message
    assert last.uri == "data/train-00002-of-00003.parquet"


def test_a_parquet_file_that_cannot_be_read_does_not_hide_the_sounds_beside_it(tmp_path: Path) -> None:
    (tmp_path / "jazz").mkdir()
    (tmp_path / "jazz/a.flac").write_bytes(tone(300))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    source = open_source(tmp_path)
    assert source.format.name == "folder"
    assert [one.uri for one in source.list_recordings() if isinstance(one, Recording)] == ["jazz/a.flac"]


def test_clips_decode_from_the_same_bytes_again_in_any_order(tmp_path: Path) -> None:
    shard = tmp_path / "test-00000-of-00001.parquet"
    pitches = [300, 400, 500, 600, 700]
    write_shard(shard, pitches)
    root = open_root(tmp_path)
    recordings = Recordings(root, sample_rate=RATE)
    for clip in sorted(clips_of(shard), key=lambda clip: clip.clip_id):
        planned = PlannedClip(clip.clip_id, clip.uri, clip.start_seconds, 1.0, sha256=clip.sha256)
        spectrum = np.abs(np.fft.rfft(recordings.decode(planned)))
        assert int(spectrum.argmax()) == pitches[int(clip.uri.rpartition("#")[2])]


def test_only_the_row_group_of_a_row_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path / "train.parquet", [300, 400, 500, 600])
    read: list[tuple[int, Any]] = []
    original = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, **options: Any) -> pa.Table:
        read.append((group, options["columns"]))
        return original(self, group, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    root = open_root(tmp_path)
    for row in (2, 3, 2):
        root.open(f"train.parquet#{row}").close()
    assert read == [(1, ["audio.bytes"])]


@pytest.mark.parametrize(
    ("uri", "error", "said"),
    [
        ("t.parquet#9", NotFound, "no row 9 in 't.parquet', which has 2"),
        ("gone.parquet#0", NotFound, "no file 'gone.parquet'"),
        ("t.parquet#1", AudioError, "Row 1 of 't.parquet' has no audio"),
        ("bad.parquet#0", AudioError, "'bad.parquet' cannot be read as Parquet"),
        ("plain.parquet#0", AudioError, "'plain.parquet' has no column with audio"),
        ("../t.parquet#0", InvalidInput, "leads outside"),
    ],
)
def test_a_row_that_cannot_be_had_says_why(
    tmp_path: Path, uri: str, error: type[Exception], said: str
) -> None:
    audio = pa.array([{"bytes": tone(300), "path": None}, {"bytes": None, "path": None}], AUDIO)
    pq.write_table(pa.table({"audio": audio}), tmp_path / "t.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "plain.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(error, match=said):
        decode_clip(open_root(tmp_path), PlannedClip("c", uri, 0.0, 1.0), sample_rate=RATE)


def test_a_row_without_audio_is_a_failure_and_the_others_are_clips(tmp_path: Path) -> None:
    audio = pa.array([{"bytes": None, "path": "x.mp3"}, {"bytes": tone(300), "path": None}, None], AUDIO)
    pq.write_table(pa.table({"audio": audio}), tmp_path / "train.parquet")
    source = open_source(tmp_path / "train.parquet")
    results = list(cut_recordings(source.root, source.list_recordings(), ClipSpec("hf", 1.0, 1.0)))
    assert [isinstance(result, Failure) for result in results] == [True, False, True]


def test_parquet_without_audio_is_still_a_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": ["a.wav"], "genre": ["jazz"]}), tmp_path / "songs.parquet")
    assert open_source(tmp_path / "songs.parquet").format.name == "table"
    with pytest.raises(InvalidInput, match="no Parquet file with a column of audio"):
        list(open_source(tmp_path / "songs.parquet", "huggingface").list_recordings())


@pytest.mark.parametrize(
    ("shard", "split"),
    [
        ("train-00000-of-00001.parquet", "train"),
        ("data/test-00003-of-00010.parquet", "test"),
        ("default/validation/0000.parquet", "validation"),
        ("dev.parquet", "validation"),
        ("songs.parquet", None),
        ("trained-00000.parquet", None),
        ("train/test-00000-of-00001.parquet", "test"),
    ],
)
def test_a_split_is_what_the_name_or_else_the_folder_says(shard: str, split: str | None) -> None:
    assert split_of(shard) == split
