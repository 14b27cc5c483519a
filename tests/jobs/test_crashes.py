"""Whole processes are killed, interrupted and doubled; the same command then finishes the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest
import soundfile

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from store import open_store
from store.arrays.verification import verify

pytestmark = pytest.mark.slow

OPTIONS = ("--model", "pocket-random", "--unit-clips", "4", "--batch-clips", "4", "--reduce", "mean,last")
CLIPS, UNITS = 117, 30


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one long recording cut into 117 overlapping clips, and nothing extracted."""
    folder = tmp_path_factory.mktemp("long")
    (folder / "audio").mkdir()
    time_seconds = np.arange(30 * 16_000) / 16_000
    sweep = 0.3 * np.sin(2 * np.pi * (100 + 20 * time_seconds) * time_seconds)
    soundfile.write(folder / "audio" / "sweep.wav", sweep, 16_000)
    store = folder / "store"
    add_dataset(AddRequest(str(store), "tones", str(folder / "audio"), clip_seconds=1.0, hop_seconds=0.25))
    return folder


@pytest.fixture(scope="module")
def reference(original: Path) -> dict[str, bytes]:
    """The array bytes of a run that nobody disturbed."""
    store = shutil.copytree(original / "store", original / "undisturbed")
    options = ExtractOptions(
        str(store), "tones", model="pocket-random", engine="inline", unit_clips=4, batch_clips=4,
        reduce="mean,last", roots=(f"tones={original / 'audio'}",),
    )  # fmt: skip
    assert run_extraction(options)["clips"] == CLIPS
    return shards(store)


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original / "store", tmp_path / "store"))


@pytest.fixture
def token() -> Iterator[str]:
    """A word in the environment of every process a test starts; whatever is left is killed."""
    token = uuid4().hex
    yield token
    for process in processes_of(token):
        process.kill()


def shard_files(store: Path) -> list[Path]:
    files = [*store.glob("runs/*/activations.zarr/**/c*"), *store.glob("codes/*/codes.zarr/**/c*")]
    return [path for path in files if path.is_file()]


def shards(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in shard_files(store)}


def markers(store: Path) -> list[Path]:
    return list(store.glob("runs/*/commits/*.json"))


def start(store: Path, original: Path, token: str, engine: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "jobs.cli", "extract", str(store), "tones", *OPTIONS, "--engine", engine,
               "--root", f"tones={original / 'audio'}", "--format", "json"]  # fmt: skip
    return subprocess.Popen(
        command,
        env={**os.environ, "UNDERTONE_TEST": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> dict[str, object]:
    output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    summary: dict[str, object] = json.loads(output)
    return summary


def wait_until(condition: Callable[[], bool], *, seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this never happened"
        time.sleep(0.02)


def reached(store: Path, count: int, process: "subprocess.Popen[str]") -> bool:
    """Whether there are so many shards, or the process has ended before."""
    return len(shard_files(store)) >= count or process.poll() is not None


def processes_of(token: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("UNDERTONE_TEST") == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def listening(process: psutil.Process) -> set[str]:
    """Addresses that a process accepts connections on."""
    try:
        sockets = process.net_connections(kind="inet")
    except psutil.NoSuchProcess:
        return set()
    return {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}


def check(store: Path, reference: dict[str, bytes]) -> None:
    """Nothing missing, nothing doubled, nothing different."""
    [run_id] = open_store(store).runs()
    run = open_store(store).run(run_id)
    assert len(run.statuses()) == CLIPS
    assert len(run.units()) == UNITS  # by markers, or a manifest that took their place
    assert run.missing_units() == []
    assert shards(store) == reference
    assert not verify(run)


def test_killed_again_and_again_the_same_command_ends_with_the_same_bytes(
    store: Path, original: Path, reference: dict[str, bytes], token: str
) -> None:
    chance = random.Random(0)
    for _ in range(2):
        process = start(store, original, token, "inline")
        target = len(shard_files(store)) + chance.randrange(1, 40)
        wait_until(partial(reached, store, target, process))
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.communicate()
    assert 0 < len(markers(store)) < UNITS
    finish(start(store, original, token, "inline"))
    check(store, reference)


def test_ctrl_c_leaves_no_process_and_a_clean_store_and_a_killed_worker_is_replaced(
    store: Path, original: Path, reference: dict[str, bytes], token: str
) -> None:
    process = start(store, original, token, "ray")
    wait_until(lambda: len(markers(store)) >= 2)
    assert {address for p in processes_of(token) for address in listening(p)} <= {
        "127.0.0.1",
        "::ffff:127.0.0.1",
    }
    interrupted = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert time.monotonic() - interrupted < 10
    assert "run the same command again" in errors
    wait_until(lambda: not processes_of(token), seconds=10)
    [run_id] = open_store(store).runs()
    assert not verify(open_store(store).run(run_id))
    before = len(markers(store))
    assert before < UNITS

    process = start(store, original, token, "ray")
    wait_until(lambda: len(markers(store)) >= before + 2)
    victim = next(p for p in processes_of(token) if "ray::UnitActor" in " ".join(p.cmdline()))
    victim.kill()
    assert finish(process)["complete"]
    check(store, reference)


def test_two_drivers_at_once_share_one_run(
    store: Path, original: Path, reference: dict[str, bytes], token: str
) -> None:
    one, two = (start(store, original, token, "inline") for _ in range(2))
    assert finish(one)["complete"]
    assert finish(two)["complete"]
    check(store, reference)
