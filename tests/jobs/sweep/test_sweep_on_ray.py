"""A sweep on Ray, interrupted, its driver killed, a worker killed: the sounds of an undisturbed one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query

pytestmark = pytest.mark.slow

SWEEP = """
seconds = 2.0
random_states = [0, 1, 2]
[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{{class}}", "slow {{class}}"]
[grid]
layers = [1]
alphas = {alphas}
"""
CELLS = 2 * 3
FEWER, MORE = [0.5, 1.0], [0.5, 1.0, 2.0]
Sweep = Callable[[list[float]], str]


@pytest.fixture
def write_sweep(tmp_path: Path) -> Sweep:
    """Write a sweep over some strengths."""

    def write(alphas: list[float]) -> str:
        path = tmp_path / f"mine{len(alphas)}.toml"
        path.write_text(SWEEP.format(alphas=alphas))
        return str(path)

    return write


@pytest.fixture
def token() -> Iterator[str]:
    """A word in the environment of every process a test starts; whatever is left is killed."""
    token = uuid4().hex
    yield token
    for process in processes_of(token):
        process.kill()


def processes_of(token: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("UNDERTONE_TEST") == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def start(store: Path, toml: str, token: str, *, workers: int = 1) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-m",
        "jobs.cli",
        "sweep",
        str(store),
        toml,
        "--engine",
        "ray",
        "--workers",
        str(workers),
    ]
    return subprocess.Popen(
        [*command, "--unit", "2", "--scorers", "descriptors", "--format", "json"],
        env={**os.environ, "UNDERTONE_TEST": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def parts(store: Path) -> int:
    """Units that are committed."""
    return len(list(store.glob("results/generations/*.parquet")))


def wait_until(condition: Callable[[], bool], *, seconds: float = 600) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this never happened"
        time.sleep(0.05)


def rows_of(store: Path) -> list[dict[str, Any]]:
    """Generations as the catalog shows them, whenever they were made."""
    query = "SELECT * EXCLUDE (created_at) FROM generations ORDER BY generation_id"
    rows: list[dict[str, Any]] = run_query(refresh_catalog(open_store(str(store))), query).to_pylist()
    return rows


def test_disturbed_in_every_way_a_sweep_on_ray_ends_as_an_undisturbed_one_in_this_process(
    base: Path, write_sweep: Sweep, other_sounds: Callable[[Path, Path], int], token: str, tmp_path: Path
) -> None:
    whole, store = (Path(shutil.copytree(base, tmp_path / name)) for name in ("whole", "disturbed"))
    run_sweep(SweepOptions(str(whole), write_sweep(MORE), engine="inline", scorers="descriptors"))

    process = start(store, write_sweep(FEWER), token)
    wait_until(lambda: parts(store) >= 1)
    interrupted = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert time.monotonic() - interrupted < 10
    wait_until(lambda: not processes_of(token), seconds=10)

    before = parts(store)
    process = start(store, write_sweep(FEWER), token)
    wait_until(lambda: parts(store) > before)
    process.kill()
    process.communicate()
    wait_until(lambda: not processes_of(token), seconds=30)

    before = parts(store)
    assert 2 * before < CELLS * (2 + 2 * len(FEWER)), "nothing was left to disturb"
    process = start(store, write_sweep(MORE), token, workers=2)
    wait_until(lambda: parts(store) > before)
    victim = next(p for p in processes_of(token) if "ray::UnitActor" in " ".join(p.cmdline()))
    victim.kill()
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    summary = json.loads(output)
    assert summary["generations"] == CELLS * (2 + 2 * len(MORE))
    assert 0 < summary["stored_before"] < summary["generations"]
    assert summary["stored_before"] + summary["generated"] == summary["generations"]
    assert other_sounds(store, whole) <= 2
    assert rows_of(store) == rows_of(whole)
