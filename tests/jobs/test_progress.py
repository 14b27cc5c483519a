"""What is reported while a job runs."""

import io
import json

import pytest

from jobs.engine.progress import Tally, at_work_on, describe
from jobs.progress.reporters import StreamReporter
from jobs.progress.reporting import clock, reporting_to
from store.records import Receipt


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """100 clips of 10 s, 20 committed earlier; in 4 s two workers have committed 16, of which 2 failed."""
    monkeypatch.setattr("jobs.engine.progress.time.monotonic", lambda: 1000.0)
    tally = Tally(clips_total=100, clips_before=20, clip_seconds=10.0, started=990.0)
    tally.see_workers(2)
    tally.ready_since = [996.0, 996.0]
    tally.add(Receipt("unit-000002", 16, 2, 8_000_000, won=True, seconds={"decode": 1.0, "forward": 3.0}))
    return tally


def test_rates_count_from_when_workers_are_ready_and_leave_out_earlier_work(tally: Tally) -> None:
    state = tally.snapshot()
    assert (state["clips"], state["failed"], state["clips_per_second"]) == (36, 2, 4.0)
    assert (state["times_real_time"], state["megabytes_per_second"]) == (40.0, 2.0)
    assert state["eta_seconds"] == (100 - 36) / 4.0
    assert state["elapsed_seconds"] == 10.0


def test_a_worker_that_loads_longer_counts_from_when_it_is_ready(tally: Tally) -> None:
    tally.ready_since = [994.0, 998.0]  # 8 seconds of one worker made 16 clips: two make 4 per second
    assert tally.snapshot()["clips_per_second"] == 4.0


def test_the_time_of_a_worker_that_died_still_counts(tally: Tally) -> None:
    tally.see_workers(1)
    assert tally.snapshot()["clips_per_second"] == 2.0
    assert tally.snapshot()["workers"] == 1


def test_pressure_names_the_bottleneck_first(tally: Tally) -> None:
    assert list(tally.pressure().items()) == [("forward", 0.75), ("decode", 0.25)]


def test_a_line_for_people_says_it_all(tally: Tally) -> None:
    line = describe("extract songs", tally.snapshot())
    assert line == (
        "extract songs  36/100 clips · 4.0/s · 40× real time · 2.0 MB/s "
        "· 2 workers · 75% forward · 2 failed · ETA 0:16"
    )


def test_off_a_terminal_every_line_is_json(tally: Tally) -> None:
    stream = io.StringIO()
    with reporting_to(StreamReporter(stream)), at_work_on(tally, title="extract songs") as report:
        report.event("worker_lost", {"unit": "unit-000001", "reason": "killed"})
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["worker_lost", "progress"]
    assert lines[1]["clips"] == 36


def test_without_a_worker_there_is_no_rate_and_no_eta() -> None:
    state = Tally(clips_total=10, clips_before=0, clip_seconds=1.0).snapshot()
    assert state["eta_seconds"] is None
    assert "loading the model" in describe("extract", state)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01")])
def test_times_are_written_as_on_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
