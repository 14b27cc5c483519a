"""A store that the version before wrote becomes one of today, whatever happens meanwhile."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.generate.records import is_whole_flac
from store.errors import Conflict, InvalidInput
from store.objects.storage import open_objects
from store.opening import open_store
from store.results.parts import committed_digest, digest_of, read_results
from store.upkeep.inspection import inspect
from store.upkeep.upgrading import Upgraded, upgrade

ARCHIVE = Path(__file__).with_name("format-1.tar.gz")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """What Undertone wrote before there were records: see the archive's name."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "format-1"


def upgraded(store: Path) -> Upgraded:
    return upgrade(open_objects(store), is_whole_sound=is_whole_flac, report=lambda *_: None)


def check(store: Path, stored_value: Any) -> None:
    opened = open_store(store)
    run = opened.run("run")
    ids = [f"clip{number}" for number in range(6)]
    for name, spec in run.arrays.items():
        expected = np.stack([stored_value(name, clip, spec.shape) for clip in ids]).astype(spec.dtype)
        np.testing.assert_array_equal(run.read_clips(name, ids), expected)
        array: Any = run.as_zarr()[name]
        assert np.array_equal(array[:2], expected[:2])
    assert opened.dataset("songs").table()["clip_id"].to_pylist() == ids
    found = read_results(opened, "measured", {"x": 1})
    assert found is not None
    assert found["score"].to_pylist() == [0.5, 0.75, 0.875]


def test_an_old_store_is_refused_with_the_command_that_helps(old: Path) -> None:
    with pytest.raises(InvalidInput, match=f"undertone upgrade .*{old.name}"):
        open_store(old)


def test_an_upgraded_store_holds_the_same_numbers_and_proves_all_of_them(
    old: Path, stored_value: Any
) -> None:
    markers = [json.loads(path.read_text()) for path in sorted((old / "runs/run/commits").glob("*"))]
    before = digest_of({m["unit_id"]: [(s["key"], s["crc32c"]) for s in m["shards"]] for m in markers})
    shown = CliRunner().invoke(undertone, ["upgrade", str(old)], standalone_mode=False)
    assert shown.return_value == 0, shown.output
    assert "units written anew  10" in shown.output
    assert re.search(r"format +1 → 3\n", shown.output)

    check(old, stored_value)
    assert inspect(open_objects(old)) == []
    assert committed_digest(open_store(old).run("run")) == before  # so that no probe is fitted again
    assert not (old / "moments/abc/resid.mean.0.npy").exists()
    files = {path: path.stat().st_mtime_ns for path in old.rglob("*") if path.is_file()}
    assert upgraded(old) == Upgraded()
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*") if path.is_file()} == files


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from jobs.generate.records import is_whole_flac
from store.objects.storage import open_objects
from store.upkeep.upgrading import upgrade

left = int(sys.argv[2])

def dying(original):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **options)
    return call

os.fsync, os.link, os.replace = dying(os.fsync), dying(os.link), dying(os.replace)
upgrade(open_objects(sys.argv[1]), is_whole_sound=is_whole_flac, report=lambda *_: None)
"""


def test_an_upgrade_killed_at_many_points_is_finished_by_the_next(old: Path, stored_value: Any) -> None:
    killed = 0
    for steps in (5, 31, 60, 90):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(old), str(steps), str(Path(__file__).parents[3])],
            check=False,
            timeout=60,
        )
        killed += done.returncode == -signal.SIGKILL
        assert done.returncode in (0, -signal.SIGKILL)
    assert killed >= 3
    assert not upgraded(old).left_out
    check(old, stored_value)
    assert [entry for entry in inspect(open_objects(old)) if entry.problem != "note"] == []


@pytest.mark.parametrize(
    ("damaged", "named", "kept"),
    [
        ("runs/run/activations.zarr/resid.mean/c.1.0.0", "commits/unit-000001.json", 5),
        ("runs/run/commits/unit-000002.json", "commits/unit-000002.json", 4),
        ("datasets/songs/audio/2.flac", "datasets/songs/dataset.json", 6),
        ("audio/made1.flac", "results/generations", 6),
        ("runs/run/plan/part-0000.parquet", "runs/run/run.json", None),
        ("runs/run/run.json", "runs/run/run.json", None),
    ],
)
def test_what_is_damaged_is_named_and_left_out(old: Path, damaged: str, named: str, kept: int | None) -> None:
    path = old / damaged
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 64
    path.write_bytes(data[: len(data) // 3] if path.suffix in (".json", ".parquet") else data)
    done = upgraded(old)

    [(key, told)] = done.left_out.items()
    assert named in key
    assert "again" in told
    store = open_store(old)
    if kept is None:
        assert store.runs() == []
        assert path.exists()
        return
    assert len(store.run("run").read_layer("resid.mean", 0)[1]) == kept
    problems = {entry.key.split("/")[0] for entry in inspect(store.objects) if entry.problem != "note"}
    assert problems <= {"datasets", "results"}


def test_an_upgrade_waits_for_drivers(old: Path) -> None:
    beat = old / "runs/run/heartbeat/x"
    beat.parent.mkdir()
    beat.write_text(json.dumps({"at": time.time()}))
    with pytest.raises(Conflict, match="at work on runs/run"):
        upgraded(old)
    assert json.loads((old / "undertone.json").read_text())["version"] == 1
    beat.write_text(json.dumps({"at": time.time() - 600}))
    upgraded(old)
    shutil.rmtree(beat.parent)
    assert (old / "records").is_dir()
