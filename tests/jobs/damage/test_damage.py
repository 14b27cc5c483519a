"""Damage of every kind of file is found, named and mended, and never read as numbers."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.generate.records import audio_key
from store.errors import UndertoneError
from store.objects.ledger import read_committed
from store.objects.parquet import parquet_table
from store.objects.storage import open_objects
from store.opening import Store, open_store
from store.results.generated_audio import read_sound_file
from store.upkeep.cures import cure_of
from store.upkeep.inspection import damage, inspect
from store.upkeep.mending import mend

KINDS = {
    "the file that says what the folder is": "undertone.json",
    "dataset document": "datasets/songs/dataset.json",
    "clips": "datasets/songs/clips.parquet",
    "failures": "datasets/songs/failures.parquet",
    "audio of a dataset": "datasets/songs/audio/1.flac",
    "run document": "runs/run/run.json",
    "plan": "runs/run/plan/part-0000.parquet",
    "further plan": "runs/run/plan/part-0001.parquet",
    "Zarr group": "runs/run/activations.zarr/zarr.json",
    "Zarr array": "runs/run/activations.zarr/resid.mean/zarr.json",
    "pooled shard": "runs/run/activations.zarr/resid.mean/c.1.0.0",
    "shard of frames": "runs/run/activations.zarr/attn.frames/c.0.0.0.0",
    "compressed shard": "runs/run/activations.zarr/mlp.mean/c.0.0.0",
    "marker": "runs/run/commits/unit-000001.json",
    "codes document": "codes/c0de/codes.json",
    "codes": "codes/c0de/codes.zarr/codes/c.0.0.0",
    "features document": "features/songs-1/features.json",
    "features": "features/songs-1/features.zarr/mel/c.0.0",
    "marker of features": "features/songs-1/commits/unit-000000.json",
    "result": "results/measured/*.parquet",
    "rows of generations": "results/generations/*.parquet",
    "sound": "audio/made1.flac",
    "moments": "moments/abc/resid.mean.0.npy",
    "state": "state/kmeans/abc.npz",
    "record of a dataset": "records/datasets/songs/dataset.json.json",
    "record of its audio": "records/datasets/songs/audio.json",
    "record of a run": "records/runs/run/run.json.json",
    "record of a plan": "records/runs/run/plan/part-0001.parquet.json",
    "record of completion": "records/runs/run/complete/000004.json",
    "record of codes": "records/codes/c0de/codes.json.json",
    "record of a result": "records/results/measured/*.json",
    "record of moments": "records/moments/abc/resid.mean.0.npy.json",
    "record of a state": "records/state/kmeans/abc.npz.json",
}
NOT_MENDED = {
    "run document", "plan", "further plan", "codes document", "features document",
}  # fmt: skip
"""Nothing else in the store knows what stood there: repair says so, and what to do."""


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def pad(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(16))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def file_of(store: Path, kind: str) -> Path:
    [path] = store.glob(KINDS[kind])
    return path


def found_in(store: Path) -> dict[str, str]:
    return {entry.key: entry.detail for entry in damage(inspect(open_objects(store)))}


def test_a_whole_store_is_intact(intact: Path) -> None:
    assert inspect(open_objects(intact)) == []


@pytest.mark.parametrize("damaged", [flip, cut, zero, pad, Path.unlink])
@pytest.mark.parametrize("kind", KINDS)
def test_every_damage_is_found_named_and_mended_or_told(
    store: Path, kind: str, damaged: Callable[[Path], None]
) -> None:
    path = file_of(store, kind)
    key = path.relative_to(store).as_posix()
    damaged(path)
    objects = open_objects(store)

    found = damage(inspect(objects))
    main = re.sub(r"^records/(.*)\.json$", r"\1", key)
    named = {entry.key for entry in found}
    assert key in named or (kind.startswith("record") and main in named), named
    assert all("undertone" in cure_of(entry, str(store)) for entry in found)

    done = mend(objects, found)
    left = damage(inspect(objects))
    if kind in NOT_MENDED:
        assert key in {entry.key for entry in done.left}
    else:
        assert {entry.problem for entry in left} <= {"reference"}, left  # a dataset, to be added again


@pytest.mark.parametrize("folder", ["datasets/songs", "runs/run", "codes/c0de", "results/measured", "audio"])
def test_a_folder_that_is_gone_is_found(store: Path, folder: str) -> None:
    shutil.rmtree(store / folder)

    assert any(key.startswith(folder) for key in found_in(store))


@pytest.mark.parametrize("folder", ["datasets/songs", "codes/c0de"])
def test_what_a_run_was_made_from_is_missed_also_without_its_records(store: Path, folder: str) -> None:
    shutil.rmtree(store / folder)
    shutil.rmtree(store / "records" / folder)

    assert any(key.startswith(folder) for key in found_in(store))
    if folder == "datasets/songs":
        shown = CliRunner().invoke(undertone, ["status", str(store)])
        assert "made from this dataset, which is gone" in shown.output


def test_verify_ends_with_a_table_of_files_and_cures_and_goes_on_after_the_first(store: Path) -> None:
    for kind in ("result", "sound", "pooled shard", "clips"):
        flip(file_of(store, kind))

    shown = CliRunner().invoke(undertone, ["verify", str(store)], standalone_mode=False)
    assert shown.return_value == 1
    for kind in ("result", "sound", "pooled shard", "clips"):
        assert file_of(store, kind).relative_to(store).as_posix() in shown.output
    assert "undertone repair" in shown.output
    assert "4 damaged files" in shown.output
    listed = CliRunner().invoke(undertone, ["verify", str(store), "--format", "json"], standalone_mode=False)
    assert all(entry["cure"] for entry in json.loads(listed.output))


def test_a_dataset_that_was_withdrawn_keeps_its_name_for_the_same_recordings(store: Path) -> None:
    clips = list(open_store(store).dataset("songs").clips())
    info = dict(open_store(store).dataset("songs").info)
    failures = open_store(store).dataset("songs").failures
    flip(file_of(store, "clips"))
    mend(open_objects(store), damage(inspect(open_objects(store))))
    said = {name: info[name] for name in ("format", "clip_seconds", "hop_seconds", "notes", "root")}

    with pytest.raises(UndertoneError, match="with other content"):
        open_store(store).add_dataset("songs", said, clips[:2], failures)
    open_store(store).add_dataset("songs", said, clips, failures)
    assert found_in(store) == {}


def tables_of(store: Store, keys: Sequence[str]) -> list[pa.Table]:
    return [parquet_table(read_committed(store.objects, key), key) for key in keys]


def readings(store: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that reads numbers or rows, each by itself."""
    opened = open_store(store)
    run = opened.run("run")
    for name in run.arrays:
        for layer in range(2):
            yield f"{name} {layer}", partial(run.read_layer, name, layer)
        yield f"{name} whole", partial(run.read_clips, name, ["clip5", "clip0", "clip3"])
        yield f"{name} rows", partial(run.read_layer, name, 1, ["clip4", "clip1"])
    yield "codes", lambda: opened.codes("c0de").read_clips("codes", ["clip2"])
    yield "clips", lambda: opened.dataset("songs").table().to_pylist()
    yield "failures", lambda: opened.dataset("songs").failures
    for kind in ("measured", "generations"):
        keys = [key for key, _ in opened.objects.list(f"results/{kind}")]
        yield kind, partial(tables_of, opened, keys)
    yield "sound", partial(read_sound_file, opened.objects, audio_key("made0"))


def same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)  # type: ignore[arg-type]
    if isinstance(one, list) and one and isinstance(one[0], pa.Table):
        return all(a.equals(b) for a, b in zip(one, other, strict=True))  # type: ignore[call-overload]
    return one == other


def wrong_answers(store: Path, expected: dict[str, object]) -> list[str]:
    """Which readings give something else than before, instead of the same or an error of ours."""
    try:
        pairs = list(readings(store))
    except UndertoneError:
        return []
    wrong = []
    for name, read in pairs:
        try:
            answer = read()
        except UndertoneError:
            continue
        if not same(answer, expected[name]):
            wrong.append(name)
    return wrong


def test_a_flipped_bit_anywhere_is_never_read_as_another_number(store: Path, stored_value: Any) -> None:
    expected = {name: read() for name, read in readings(store)}
    spec = open_store(store).run("run").arrays["resid.mean"]
    values, ids = open_store(store).run("run").read_layer("resid.mean", 1)
    np.testing.assert_array_equal(values, [stored_value("resid.mean", clip, spec.shape)[1] for clip in ids])
    files = sorted(path for path in store.rglob("*") if path.is_file())
    random = np.random.default_rng(0)
    for _ in range(100):
        path = files[random.integers(len(files))]
        good = path.read_bytes()
        bit = int(random.integers(8 * len(good))) if good else 0
        bad = bytearray(good or b"\0")
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        assert wrong_answers(store, expected) == [], (path, bit)
        path.write_bytes(good)


WRITER = """
import os, signal, sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[2])
import pyarrow as pa
from store.results.parts import write_results
from store.opening import Store, open_store

store = open_store(sys.argv[1], create=True)
create = type(store.objects).create

def dying(self, key, buffers):
    if key.startswith("records/"):
        os.kill(os.getpid(), signal.SIGKILL)
    return create(self, key, buffers)

type(store.objects).create = dying
write_results(store, "measured", {"x": 3}, pa.table({"score": [1.0]}))
"""


def test_a_writer_killed_between_object_and_record_has_written_nothing(tmp_path: Path) -> None:
    from store.results.parts import read_results, write_results

    here = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path / "s"), here], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    store = open_store(tmp_path / "s")
    assert len(list(store.objects.list("results"))) == 1

    assert read_results(store, "measured", {"x": 3}) is None
    assert [entry.problem for entry in inspect(store.objects)] == ["unrecorded"]
    write_results(store, "measured", {"x": 3}, pa.table({"score": [1.0]}))
    assert read_results(store, "measured", {"x": 3}) == pa.table({"score": [1.0]})
    assert inspect(store.objects) == []
