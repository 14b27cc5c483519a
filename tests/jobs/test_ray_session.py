"""Ray starts where the folder for temporary files has a long name, or says in words why it does not."""

import os
from pathlib import Path
from typing import Any

import pytest
import ray

from jobs.engine import ray_session as module
from jobs.engine.ray_session import ray_session
from store.errors import InvalidInput, JobFailed

SECRET = "s3cr3t"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Ray was asked to start with; nothing is started."""
    seen: list[dict[str, Any]] = []

    def init(**options: Any) -> None:
        folder = options.get("_temp_dir")
        seen.append({**options, "existed": folder is not None and Path(folder).is_dir()})

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    return seen


@pytest.mark.parametrize("said_by", ["TMPDIR", "RAY_TMPDIR"])
def test_a_long_folder_for_temporary_files_gives_ray_a_short_one_of_its_own(
    started: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said_by: str
) -> None:
    long = tmp_path / ("scratch-of-a-job/" * 6)
    long.mkdir(parents=True)
    if said_by == "TMPDIR":
        monkeypatch.setattr("tempfile.tempdir", str(long))
    else:
        monkeypatch.setenv("RAY_TMPDIR", str(long))
    with ray_session("local", cpus=1):
        pass
    folder = started[0]["_temp_dir"]
    socket = f"{folder}/session_2026-12-31_23-59-59_999999_9999999/sockets/plasma_store"
    assert len(os.fsencode(socket)) <= 107, "Linux's limit of a socket's path"
    assert started[0]["existed"]
    assert not Path(folder).exists(), "it leaves nothing behind"


def test_the_longest_folder_that_is_left_to_ray_fits_into_a_socket_name() -> None:
    folder = "x" * module.LONGEST_FOLDER
    assert len(f"{folder}/ray/session_2026-12-31_23-59-59_999999_9999999/sockets/plasma_store") <= 107


def test_a_short_folder_is_left_to_ray(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/t")
    with ray_session("local", cpus=1):
        pass
    assert "_temp_dir" not in started[0]


def test_without_any_short_folder_the_cure_is_named(
    started: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/x" * 60)
    monkeypatch.setattr(module, "SHORT_FOLDER", str(tmp_path / "nothing"))
    with pytest.raises(InvalidInput, match=r"RAY_TMPDIR.*--engine inline"), ray_session("local", cpus=1):
        pass
    assert not started


@pytest.mark.parametrize(
    "error",
    [
        Exception(f"The current node timed out during startup at https://{SECRET}@h.\nmore"),
        TimeoutError("GCS is late"),
        ValueError("validate_socket_filename failed"),
        RuntimeError(""),
        OSError(28, "No space left on device"),
    ],
)
def test_a_private_ray_that_does_not_start_is_a_sentence(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def init(**_: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", init)
    expected = pytest.raises(JobFailed, match=r"could not be started on this machine.*--engine inline")
    with expected as raised, ray_session("local", cpus=1):
        pass
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "No Ray cluster answers" not in str(raised.value)


def test_a_cluster_that_does_not_answer_is_another_sentence(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(**_: Any) -> None:
        raise ConnectionError("no")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(InvalidInput, match="No Ray cluster answers at 'auto'"), ray_session("auto"):
        pass
