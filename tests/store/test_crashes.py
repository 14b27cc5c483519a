"""kill -9, SIGSTOP and rivals, for real: what `crash_worker.py` reports of every trial."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKER = Path(__file__).with_name("crash_worker.py")


def trials(scenario: str, folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, str(WORKER), scenario, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("scenario", "least_killed"),
    [
        ("kill_at_every_event", 1.0),
        ("kill_at_random_times", 0.3),  # a writer may be quicker than its killer
    ],
)
def test_after_kill_9_the_same_command_ends_with_the_same_bytes(
    tmp_path: Path, scenario: str, least_killed: float
) -> None:
    found = trials(scenario, tmp_path)

    assert len(found) >= 15
    killed = [trial["killed"] == -signal.SIGKILL for trial in found]
    assert sum(killed) >= least_killed * len(found)
    for trial in found:
        assert trial["killed"] in (0, -signal.SIGKILL), trial
        assert trial["rerun"] == 0, trial
        assert trial["same"], trial
        assert trial["clean"], trial


def test_a_zombie_that_wakes_after_another_writer_changes_nothing(tmp_path: Path) -> None:
    found = trials("stop_at_every_event", tmp_path)

    assert len(found) >= 50
    for trial in found:
        assert trial["other"] == 0, trial
        assert trial["zombie"] == 0, trial
        assert trial["same"], trial
        assert trial["markers"] == 2, trial
        assert trial["clean"], trial


def test_writers_at_once_end_with_the_bytes_of_one(tmp_path: Path) -> None:
    for trial in trials("write_at_once", tmp_path):
        assert trial["failed"] == 0, trial
        assert trial["same"], trial
        assert trial["clean"], trial


def test_a_repair_killed_at_any_point_can_be_repeated(tmp_path: Path) -> None:
    found = trials("repair_under_fire", tmp_path)

    assert [trial["killed"] for trial in found[:-1]] == [-signal.SIGKILL] * (len(found) - 1)
    assert len(found) > 5
    for trial in found:
        assert trial["mended"] == 0, trial
        assert trial["same"], trial
        assert trial["clean"], trial
