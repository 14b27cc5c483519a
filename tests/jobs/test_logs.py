"""With UNDERTONE_LOG=json whatever comes on standard error is JSON, and says when, how bad, and of what."""

import json
import logging
import sys
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.cli.main import main
from jobs.evaluate import running as evaluating
from jobs.evaluate.options import EvaluateOptions
from jobs.evaluate.scoring import Scoring
from jobs.extract.worker import ExtractionWorker
from jobs.progress import logs
from jobs.sweep import sweeping
from jobs.sweep.configuration import shipped_sweeps
from jobs.sweep.options import SweepOptions
from store import open_store
from store.opening import Store

Lines = list[dict[str, Any]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Lines]]:
    """Runs a command with JSON logs; gives its exit code and standard error, every line of it parsed."""

    def run(*command: str) -> tuple[int, Lines]:
        with pytest.raises(SystemExit) as ended:
            main(["--log-format", "json", *command])
        return int(ended.value.code or 0), [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return run


def extraction(store: str, *more: str) -> list[str]:
    where = ("--engine", "inline", "--unit-clips", "4")
    return ["extract", store, "tones", "--model", "pocket-random", *where, *more]


def test_driver_and_worker_say_run_and_unit_on_lines_that_all_parse(
    store: str, told: Callable[..., tuple[int, Lines]]
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    code, lines = told(*extraction(store))
    assert code == 0
    [run] = open_store(store).runs()
    for line in lines:
        assert before <= datetime.fromisoformat(line["time"]) <= datetime.now(UTC)
        assert line["level"] in ("debug", "info", "warning", "error")
    of_units = {line["unit"]: line for line in lines if line["message"] == "unit committed"}
    assert sorted(of_units) == [f"unit-{n:06d}" for n in range(3)]
    assert {line["run"] for line in of_units.values()} == {run}
    assert sum(line["items"] for line in of_units.values()) == 11
    assert of_units["unit-000000"]["seconds"]["forward"] > 0
    [last] = [line for line in lines if line["message"] == "progress"]
    assert (last["run"], last["clips"], last["job"]) == (run, 11, "extract tones")
    assert any(line["level"] == "info" and "random weights" in line["message"] for line in lines)


def test_what_a_unit_raised_is_one_line_with_its_trace(
    store: str, told: Callable[..., tuple[int, Lines]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ExtractionWorker.run
    raised: list[Any] = []

    def run(self: ExtractionWorker, task: Any) -> Any:
        if task.unit.unit_id == "unit-000001" and not raised:
            raised.append(task)
            raise RuntimeError("https://user:s3cr3t@host/x is odd\nand long")
        return whole(self, task)

    monkeypatch.setattr(ExtractionWorker, "run", run)
    code, lines = told(*extraction(store))
    assert code == 0
    [line] = [line for line in lines if line["message"] == "unit raised"]
    assert (line["unit"], line["level"], line["error"]) == ("unit-000001", "error", "RuntimeError")
    assert "Traceback" in line["traceback"]
    assert "s3cr3t" not in json.dumps(lines)
    assert [line["unit"] for line in lines if line["message"] == "retried"] == ["unit-000001"]


def test_what_others_print_or_warn_of_is_json_too(
    store: str, told: Callable[..., tuple[int, Lines]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: ExtractionWorker) -> None:
        sys.stderr.write("a library prints\r50 %\r100 %\n")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("it is old", DeprecationWarning, stacklevel=1)
        logging.getLogger("some.library").warning("it is slow")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ExtractionWorker, "load", load)
    code, lines = told(*extraction(store))
    assert code == 1
    said = {line["message"]: line for line in lines}
    assert {"a library prints", "50 %", "100 %"} <= set(said)
    assert said["it is slow"]["logger"] == "some.library"
    assert any("it is old" in message for message in said)
    assert lines[-1]["level"] == "error"
    assert "disk is full" in lines[-1]["message"]


def test_wrong_usage_is_json_where_the_environment_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "json")
    with pytest.raises(SystemExit) as ended:
        main(["extract", "--nonsense"])
    assert ended.value.code == 2
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines][-1] == "error"
    assert "--nonsense" in lines[-1]["message"]


def test_another_format_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(logs.VARIABLE, "xml")
    with pytest.raises(SystemExit) as ended:
        main(["status", "nowhere"])
    assert ended.value.code == 2
    assert "'xml' is not one of 'text', 'json'" in capsys.readouterr().err


def test_after_the_command_all_is_as_before(store: str, told: Callable[..., tuple[int, Lines]]) -> None:
    before = sys.stderr, logging.getLogger().handlers[:]
    told("status", store)
    assert (sys.stderr, logging.getLogger().handlers) == before
    assert not logs.logging_now().json


def test_without_being_asked_nothing_is_logged(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(extraction(store))
    assert "unit committed" not in capsys.readouterr().err


def test_a_worker_elsewhere_logs_as_its_driver_does(tmp_path: Path) -> None:
    import subprocess

    script = (
        "import sys; from jobs.progress import logs\n"
        "logs.Logging(json=True, run='songs-1').begin()\n"
        "print('printed'); sys.stderr.write('Warning: odd\\n')\n"
        "with logs.about_unit('unit-000007'): logs.LOG.info('unit committed', extra={'items': 4})\n"
        "raise ValueError('at the end')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.stdout == ""
    assert {line["run"] for line in lines} == {"songs-1"}
    assert [(line["level"], line["message"]) for line in lines[:3]] == [
        ("info", "printed"), ("warning", "odd"), ("info", "unit committed"),
    ]  # fmt: skip
    assert (lines[2]["unit"], lines[2]["items"]) == ("unit-000007", 4)
    assert lines[-1]["message"] == "ValueError: at the end"


def test_fits_name_run_and_task(planted_store: Store, told: Callable[..., tuple[int, Lines]]) -> None:
    labels = ("--labels", "SELECT clip_id, style FROM clips", "--engine", "inline", "--sites", "attn")
    probe = ("probe", planted_store.url, "toy", *labels, "--reduce", "mean", "--no-handcrafted")
    for command in (probe, ("kmeans", planted_store.url, "toy", *labels, "--k", "2", "--starts", "1")):
        code, lines = told(*command)
        assert code == 0
        done = [line for line in lines if line["message"] == "task done"]
        assert sorted(line["unit"] for line in done) == [f"task-{n:06d}" for n in range(len(done))]
        assert done
        assert {line["run"] for line in lines if line["message"] in ("task done", "progress")} == {"toy"}


def test_a_sweep_is_named_as_run_and_an_evaluation_by_its_dataset(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str | None] = []

    def scored(*_: Any) -> Scoring:
        named.append(logs.logging_now().run)
        return Scoring(0, 0, (), 0.0)

    monkeypatch.setattr(evaluating, "score_items", scored)
    evaluating.run_evaluation(EvaluateOptions(store=store, dataset="tones", judge=True))

    def expanded(*_: Any) -> Any:
        named.append(logs.logging_now().run)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "_expand", expanded)
    sweep = next(iter(shipped_sweeps()))
    with pytest.raises(KeyboardInterrupt):
        sweeping.run_sweep(SweepOptions(store=store, sweep=sweep, engine="inline"))
    assert named == ["tones", sweep]
    assert logs.logging_now().run is None
