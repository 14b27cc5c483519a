"""Metrics of a job: the file that node_exporter reads holds the numbers of the run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.engine import metrics
from jobs.engine.dispatch import Committed, GivenUp, Idle, Lost, Outcome, Retried
from jobs.engine.metrics import publishing
from jobs.engine.progress import counted
from jobs.engine.tally import Tally
from jobs.engine.tasks import Batch, Problem
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from store.errors import InvalidInput, UndertoneError, UndertoneWarning
from store.records import Receipt

Values = dict[str, float]
BROKEN = Problem("OSError", "no")


def read(path: Path) -> Values:
    """Samples of a file by name, those of stages by name and stage."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.documentation
        for sample in family.samples:
            stage = sample.labels.get("stage")
            found[f"{sample.name}/{stage}" if stage else sample.name] = sample.value
    return found


class Three:
    """A pool of three workers."""

    def workers(self) -> int:
        return 3


def unit(name: str, items: int) -> Batch[None]:
    return Batch(name, dict.fromkeys(map(str, range(items))))


def test_the_file_of_an_extraction_holds_the_numbers_of_its_summary(store: str, audio: Path) -> None:
    (audio / "low" / "02.wav").unlink()
    file = audio.parent / "undertone.prom"
    options = ExtractOptions(
        store, "tones", "pocket-random", unit_clips=4, engine="inline", metrics_file=file
    )
    summary = run_extraction(options)
    values = read(file)
    assert values["undertone_items_total"] == summary["clips"] == 11
    assert values["undertone_items_failed_total"] == summary["failed"] == 1
    assert values["undertone_items_waiting"] == 0
    assert values["undertone_units_total"] == 3
    assert values["undertone_bytes_written_total"] == summary["written_bytes"]
    assert values["undertone_stage_seconds_total/forward"] > 0
    assert {path.name for path in file.parent.glob("undertone.prom*")} == {file.name}


def test_every_outcome_is_counted_and_labelled_with_its_job(tmp_path: Path) -> None:
    outcomes: list[Outcome[Any, Any]] = [
        Committed(Receipt("a", 4, 1, 1000, won=True, seconds={"forward": 2.0, "write": 0.5})),
        Lost(unit("b", 4), "its node was lost"),
        Retried(unit("c", 4), BROKEN),
        GivenUp(unit("c", 4), BROKEN),
    ]
    tally = Tally(total=20, before=4, item_seconds=1.0, what="generations")
    file = tmp_path / "m.prom"
    list(counted(outcomes, Three(), tally, title='sweep "x"\n', metrics_file=file))  # type: ignore[arg-type]
    assert read(file) == {
        "undertone_items_total": 4,
        "undertone_items_failed_total": 5,
        "undertone_items_waiting": 20 - 4 - 4 - 4,
        "undertone_units_total": 1,
        "undertone_units_retried_total": 2,
        "undertone_units_given_up_total": 1,
        "undertone_bytes_written_total": 1000,
        "undertone_workers": 3,
        "undertone_workers_lost_total": 1,
        "undertone_stage_seconds_total/forward": 2.0,
        "undertone_stage_seconds_total/write": 0.5,
    }
    [family, *_] = text_string_to_metric_families(file.read_text())
    assert family.samples[0].labels == {"job": 'sweep "x"\n', "items": "generations"}


def test_the_file_is_there_from_the_beginning_and_after_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "m.prom"
    tally = Tally(total=3, before=0, item_seconds=1.0)
    seen: list[Values] = []

    def outcomes() -> Iterator[Outcome[Any, Any]]:
        seen.append(read(file))
        yield Committed(Receipt("a", 1, 0, 10, won=True))
        yield Committed(Receipt("b", 1, 0, 10, won=True))
        seen.append(read(file))
        raise UndertoneError("the disk is full")

    with pytest.raises(UndertoneError):
        list(counted(outcomes(), Three(), tally, title="t", metrics_file=file))  # type: ignore[arg-type]
    assert [values["undertone_units_total"] for values in seen] == [0, 0], "no more often than it is asked"
    assert read(file)["undertone_units_total"] == 2


def test_a_long_job_is_told_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "EVERY_SECONDS", 0.0)
    file = tmp_path / "m.prom"
    tally = Tally(total=3, before=0, item_seconds=1.0)
    outcomes: list[Outcome[Any, Any]] = [Committed(Receipt("a", 1, 0, 10, won=True)), Idle()]
    told = [
        read(file)["undertone_units_total"]
        for _ in counted(outcomes, Three(), tally, title="t", metrics_file=file)  # type: ignore[arg-type]
    ]
    assert told == [1, 1]


def test_a_place_that_cannot_hold_it_is_refused_before_the_work(tmp_path: Path) -> None:
    tally = Tally(total=1, before=0, item_seconds=1.0)
    for path in (tmp_path, tmp_path / "nothing" / "m.prom"):
        with (
            pytest.raises(InvalidInput, match=r"--metrics-file .* folder that exists"),
            publishing(tally, title="t", file=path),
        ):
            pass


def test_a_disk_that_is_full_is_a_warning_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.progress.reporters import told

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("prometheus_client.write_to_textfile", refuse)
    tally = Tally(total=1, before=0, item_seconds=1.0)
    with told(progress=False), pytest.warns(UndertoneWarning, match="No space left") as warned:  # noqa: SIM117
        with publishing(tally, title="t", file=tmp_path / "m.prom") as published:
            published.update(now=True)
    assert len(warned) == 1
