"""Adding a dataset again reads what is new, and what grew or shrank is its next version."""

import os
import shutil
import subprocess
import sys
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from jobs.dataset import known_files, measuring
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.execution import Engine
from pipelines.datasets.cutting import measure
from store import dataset_changes, datasets, open_store
from store.catalog.asking import Catalog
from store.errors import Conflict
from store.objects import ledger
from store.objects.protocol import ObjectStore
from store.upkeep.garbage import Wanted, collect, find_garbage
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend

RATE = 8000


def write_tone(path: Path, pitch: float, seconds: float = 2.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(seconds * RATE)) * pitch), RATE, subtype="PCM_16")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for number in range(6):
        write_tone(tmp_path / f"music/{'rock' if number % 2 else 'jazz'}/{number}.wav", 0.1 + 0.01 * number)
    return tmp_path / "music"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were read."""
    seen: list[str] = []

    def counting(root: Any, uri: str, *arguments: Any) -> Any:
        seen.append(uri)
        return measure(root, uri, *arguments)

    monkeypatch.setattr(measuring, "measure", counting)
    return seen


@pytest.fixture
def add(tmp_path: Path, music: Path) -> Callable[..., dict[str, Any]]:
    def adding(**options: Any) -> dict[str, Any]:
        settings = {"clip_seconds": 1.0, **options}
        return add_dataset(AddRequest(str(tmp_path / "store"), "songs", str(music), **settings))

    return adding


Add = Callable[..., dict[str, Any]]


def test_what_is_unchanged_is_not_read_again_unless_asked_to(add: Add, read: list[str]) -> None:
    first = add()
    assert len(read) == 6
    read.clear()
    assert add() == first
    assert read == []
    assert add(rehash=True) == first
    assert len(read) == 6


def test_a_file_with_another_time_is_read_and_one_with_the_same_content_changes_nothing(
    tmp_path: Path, music: Path, add: Add, read: list[str]
) -> None:
    add()
    read.clear()
    os.utime(music / "jazz/0.wav", ns=(1, 1))
    assert add()["version"] == 1
    assert read == ["jazz/0.wav"]


def test_another_folder_with_equal_names_sizes_and_times_is_read(
    tmp_path: Path, music: Path, add: Add, read: list[str]
) -> None:
    noisy = tmp_path / "noisy"
    shutil.copytree(music, noisy)
    write_tone(noisy / "rock/1.wav", 0.7)
    for file in music.rglob("*.wav"):
        state = file.stat()
        other = noisy / file.relative_to(music)
        os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert other.stat().st_size == state.st_size
    add()
    read.clear()
    request = AddRequest(str(tmp_path / "store"), "songs", str(noisy), clip_seconds=1.0)
    assert add_dataset(request)["version"] == 2
    assert len(read) == 6
    dataset = open_store(tmp_path / "store").dataset("songs")
    expected = {
        file.relative_to(noisy).as_posix(): sha256(file.read_bytes()) for file in noisy.rglob("*.wav")
    }
    assert {clip.uri: clip.sha256 for clip in dataset.clips()} == {
        uri: digest.hexdigest() for uri, digest in expected.items()
    }
    assert {row["uri"] for row in dataset.changes().to_pylist()} == {"rock/1.wav"}


def test_versions_are_compared_without_their_labels(
    music: Path, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    write_tone(music / "blues/new.wav", 0.5)
    held: list[set[str]] = []

    def seen(old: dataset_changes.Batches, new: dataset_changes.Batches) -> Iterator[pa.Table]:
        held.extend(set(batch.schema.names) for clips in (old, new) for batch in clips())
        return dataset_changes.changes(old, new)

    monkeypatch.setattr(datasets, "changes", seen)
    assert add()["version"] == 2
    assert held == [{"clip_id", "uri", "start_seconds", "duration_seconds", "sha256"}] * 2


def test_few_clips_are_held_while_versions_are_compared() -> None:
    alive: list[Any] = []
    most: list[int] = []

    def clips(first: int, content: str) -> dataset_changes.Batches:
        def batches() -> Iterator[pa.RecordBatch]:
            for start in range(first, first + 2_000, 100):
                ids = [f"{number:04d}" for number in range(start, start + 100)]
                numbers = pa.array([0.0] * 100)
                batch = pa.record_batch(
                    [ids, ids, numbers, numbers, [content if one < "1000" else one for one in ids]],
                    dataset_changes.COMPARED,
                )
                alive.append(weakref.ref(batch))
                most.append(sum(one() is not None for one in alive))
                yield batch
                del batch

        return batches

    counts: Counter[str] = Counter()
    for table in dataset_changes.changes(clips(0, "a"), clips(500, "b")):
        counts[table["change"][0].as_py()] += len(table)
    assert counts == {"added": 500, "changed": 500, "gone": 500}
    assert max(most) <= 2


def test_only_the_addition_that_made_a_version_says_what_it_changed(music: Path, add: Add) -> None:
    add()
    write_tone(music / "blues/new.wav", 0.5)
    made, again = add(), add()
    assert [said for said in made["findings"] if "This is version 2" in said]
    assert not [said for said in again["findings"] if "This is version" in said]
    assert again["version"] == 2


def test_a_file_whose_content_came_and_went_again_is_known_as_it_was_read_last(
    tmp_path: Path, music: Path, add: Add, read: list[str]
) -> None:
    file = music / "jazz/0.wav"
    state = file.stat()
    contents = []
    for pitch in (0.1, 0.7, 0.1):
        write_tone(file, pitch)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        contents.append(sha256(file.read_bytes()).hexdigest())
        add(rehash=True)
    read.clear()
    add()
    assert read == []
    clips = open_store(tmp_path / "store").dataset("songs").clips()
    assert {clip.sha256 for clip in clips if clip.uri == "jazz/0.wav"} == {contents[0]}


def test_new_files_are_a_version_that_keeps_the_old_clips(
    tmp_path: Path, music: Path, add: Add, read: list[str]
) -> None:
    add()
    before = open_store(tmp_path / "store").dataset("songs")
    old = list(before.clips())
    read.clear()
    write_tone(music / "blues/new.wav", 0.5, seconds=3.0)
    assert add()["version"] == 2
    assert read == ["blues/new.wav"]

    dataset = open_store(tmp_path / "store").dataset("songs")
    assert (dataset.version, dataset.origin) == (2, before.fingerprint)
    assert [clip for clip in dataset.clips() if clip.uri != "blues/new.wav"] == old
    changed = dataset.changes().to_pylist()
    assert [(row["change"], row["uri"], row["start_seconds"]) for row in changed] == [
        ("added", "blues/new.wav", float(second)) for second in range(3)
    ]
    assert list(open_store(tmp_path / "store").dataset("songs", 1).clips()) == old
    assert inspect(open_store(tmp_path / "store").objects) == []


def test_a_file_that_went_and_one_with_other_content_are_a_version(
    tmp_path: Path, music: Path, add: Add
) -> None:
    add()
    (music / "jazz/0.wav").unlink()
    write_tone(music / "rock/1.wav", 0.7)
    assert add()["version"] == 2
    dataset = open_store(tmp_path / "store").dataset("songs")
    changed = {(row["change"], row["uri"]) for row in dataset.changes().to_pylist()}
    assert changed == {("changed", "rock/1.wav"), ("gone", "jazz/0.wav")}
    assert dataset.info["changes"] == {"added": 0, "changed": 2, "gone": 2}
    assert dataset.info["counts"]["clips"] == 10

    write_tone(music / "jazz/0.wav", 0.1)
    assert add()["version"] == 3
    assert open_store(tmp_path / "store").dataset("songs").info["changes"] == {
        "added": 2,
        "changed": 0,
        "gone": 0,
    }


def test_other_music_under_the_same_name_is_refused(tmp_path: Path, add: Add) -> None:
    add()
    write_tone(tmp_path / "other/a.wav", 0.3)
    with pytest.raises(Conflict, match="none of its clips is among"):
        add_dataset(AddRequest(str(tmp_path / "store"), "songs", str(tmp_path / "other"), clip_seconds=1.0))


def test_clips_of_another_length_are_refused_before_a_file_is_read(
    music: Path, tmp_path: Path, add: Add, read: list[str]
) -> None:
    add()
    read.clear()
    write_tone(music / "rock/new.wav", 0.3)
    with pytest.raises(Conflict, match=r"clips of 1 s every 1 s; these would be 1 s every 0\.5 s"):
        add(hop_seconds=0.5)
    with pytest.raises(Conflict, match=r"would be 5 s every 5 s\. Say --clip-seconds 1 to add"):
        add(clip_seconds=5.0)
    assert not read
    assert add(clip_seconds=2.0, replace=True)["version"] == 1, "nothing used it"


KILLED = """
import os, sys
from jobs.dataset import known_files, measuring
from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from pipelines.datasets.cutting import measure

known_files.PART_FILES = 5
count = 0
def dying(*arguments):
    global count
    count += 1
    if count == 90:
        os._exit(9)
    return measure(*arguments)
measuring.measure = dying
add_dataset(AddRequest(sys.argv[1], "songs", sys.argv[2], clip_seconds=1.0, threads=1))
"""


def test_killed_at_nine_tenths_it_costs_a_tenth_again(tmp_path: Path, read: list[str]) -> None:
    for number in range(100):
        write_tone(tmp_path / f"many/{number:03}.wav", 0.1 + number / 500, seconds=1.0)
    store, many = str(tmp_path / "store"), str(tmp_path / "many")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    died = subprocess.run([sys.executable, "-c", KILLED, store, many], env=environment, check=False)
    assert died.returncode == 9
    opened = open_store(store)
    assert opened.datasets() == []
    assert inspect(opened.objects) == []
    add_dataset(AddRequest(store, "songs", many, clip_seconds=1.0))
    assert 10 <= len(read) <= 20
    assert len(list(opened.dataset("songs").clips())) == 100


class Killed(BaseException):
    """Nothing that a command catches."""


@pytest.fixture
def killed_before_the_record(tmp_path: Path, add: Add, read: list[str]) -> Callable[..., ObjectStore]:
    """An addition that wrote the first part of what it measured, and no record; its store."""

    def no_more(*_: Any) -> None:
        raise Killed

    def killed(files: int = 6) -> ObjectStore:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(known_files, "PART_FILES", files)
            patch.setattr(ledger, "write_record", no_more)
            with pytest.raises(Killed):
                add()
        objects = open_store(tmp_path / "store").objects
        (left,) = inspect(objects)
        assert (left.problem, left.key.rpartition("/")[0]) == ("unrecorded", "results/recordings")
        read.clear()
        return objects

    return killed


KilledAdd = Callable[..., ObjectStore]


@pytest.mark.parametrize(("rehash", "still_read"), [(False, 2), (True, 6)])
def test_killed_before_the_record_of_what_was_measured_the_next_addition_writes_it(
    killed_before_the_record: KilledAdd, add: Add, read: list[str], *, rehash: bool, still_read: int
) -> None:
    objects = killed_before_the_record(files=4)
    add(rehash=rehash)
    assert inspect(objects) == []
    assert len(read) == still_read


def test_a_damaged_part_without_a_record_is_not_believed(
    killed_before_the_record: KilledAdd, add: Add, read: list[str]
) -> None:
    objects = killed_before_the_record(files=4)
    ((key, _),) = objects.list("results")
    objects.put(key, objects.get(key)[:-9])
    add()
    assert len(read) == 6
    assert [entry.key for entry in inspect(objects)] == [key]
    mend(objects, inspect(objects))
    assert inspect(objects) == []


def test_what_was_measured_has_the_same_name_after_a_kill(killed_before_the_record: KilledAdd) -> None:
    objects = killed_before_the_record()
    first = [key for key, _ in objects.list("results")]
    objects.delete(first[0])
    killed_before_the_record()
    assert [key for key, _ in objects.list("results")] == first


def test_what_was_measured_and_never_recorded_is_litter_after_its_time(
    tmp_path: Path, killed_before_the_record: KilledAdd
) -> None:
    objects = killed_before_the_record()
    ((key, _),) = objects.list("results")
    assert find_garbage(objects, Wanted()) == []
    path = tmp_path / "store" / key
    os.utime(path, (time.time() - 8 * 86_400,) * 2)
    found = find_garbage(objects, Wanted())
    assert [(one.kind, one.key, one.nbytes) for one in found] == [
        ("results without a record", key, path.stat().st_size)
    ]
    assert collect(objects, found) == found
    assert inspect(objects) == []


def test_what_was_measured_before_ctrl_c_is_kept(
    tmp_path: Path, music: Path, add: Add, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = known_files.KnownFiles.keep

    def interrupted(self: Any, measured: Any) -> None:
        keep(self, measured)
        if measured.uri == "rock/1.wav":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(known_files.KnownFiles, "keep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            add()
    assert inspect(open_store(tmp_path / "store").objects) == []
    read.clear()
    add()
    assert set(read) == {"rock/3.wav", "rock/5.wav"}


def test_failures_are_remembered_too(music: Path, add: Add, read: list[str]) -> None:
    (music / "jazz/broken.wav").write_bytes(b"nonsense")
    first = add()
    assert first["failures"] == {"probe: AudioError": 1}
    read.clear()
    assert add() == first
    assert read == []


def test_sql_shows_the_newest_version_and_what_each_changed(tmp_path: Path, music: Path, add: Add) -> None:
    add()
    (music / "jazz/0.wav").unlink()
    write_tone(music / "blues/new.wav", 0.5)
    add()

    def rows(query: str) -> list[tuple[Any, ...]]:
        answer = Catalog.of(open_store(tmp_path / "store")).ask(query)
        return [tuple(row.values()) for row in answer.to_pylist()]

    assert rows("SELECT count(*), count(DISTINCT uri) FROM clips") == [(12, 6)]
    assert rows("SELECT version, clips, recordings FROM datasets") == [(2, 12, 6)]
    assert rows("SELECT DISTINCT version, change, uri, gone FROM dataset_changes ORDER BY uri") == [
        (2, "added", "blues/new.wav", False),
        (2, "gone", "jazz/0.wav", True),
    ]
    assert rows("SELECT count(*), count(content) FROM recordings") == [(7, 7)]


@pytest.mark.parametrize("file", ["versions/0002/clips.parquet", "versions/0002/dataset.json"])
def test_repair_takes_a_damaged_version_and_leaves_the_one_before(
    tmp_path: Path, music: Path, add: Add, file: str
) -> None:
    add()
    write_tone(music / "blues/new.wav", 0.5)
    add()
    objects = open_store(tmp_path / "store").objects
    key = f"datasets/songs/{file}"
    objects.put(key, objects.get(key)[:-3])
    found = inspect(objects)
    assert {entry.key for entry in found} == {key}
    mend(objects, found)
    assert open_store(tmp_path / "store").dataset("songs").version == 1
    assert damage(inspect(objects)) == []
    assert add()["version"] == 2


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_ray_reads_what_this_process_would(tmp_path: Path, music: Path) -> None:
    (music / "jazz/broken.wav").write_bytes(b"RIFF of nothing")
    found = []
    engines: tuple[Engine, ...] = ("inline", "ray")
    for engine in engines:
        request = AddRequest(str(tmp_path / engine), "songs", str(music), clip_seconds=1.0, engine=engine)
        summary = add_dataset(request)
        dataset = open_store(tmp_path / engine).dataset("songs")
        found.append((summary, dataset.fingerprint, list(dataset.clips()), dataset.failures))
    assert found[0] == found[1]
    assert [failure.item for failure in found[0][3]] == ["jazz/broken.wav"]
