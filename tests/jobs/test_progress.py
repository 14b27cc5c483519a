"""What is reported while a job runs."""

import io
import json

import pytest

from jobs.engine.progress import at_work_on, describe
from jobs.engine.tally import Tally
from jobs.progress.reporters import StreamReporter, told
from jobs.progress.reporting import Progress, clock, followed, note, reporting_to
from store.errors import UndertoneWarning
from store.records import Receipt


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """100 clips of 10 s, 20 committed earlier; in 4 s two workers have committed 16, of which 2 failed."""
    monkeypatch.setattr("jobs.engine.progress.time.monotonic", lambda: 1000.0)
    tally = Tally(total=100, before=20, item_seconds=10.0, started=990.0)
    tally.see_workers(2)
    tally.ready_since = [996.0, 996.0]
    tally.first_ready = 996.0
    tally.add(Receipt("unit-000002", 16, 2, 8_000_000, won=True, seconds={"decode": 1.0, "forward": 3.0}))
    return tally


def test_rates_count_from_when_workers_are_ready_and_leave_out_earlier_work(tally: Tally) -> None:
    state = tally.snapshot()
    assert (state["clips"], state["failed"], state["clips_per_second"]) == (36, 2, 4.0)
    assert (state["times_real_time"], state["megabytes_per_second"]) == (40.0, 2.0)
    assert state["eta_seconds"] == (100 - 36) / 4.0
    assert state["elapsed_seconds"] == 10.0


def test_rates_are_by_the_clock_and_the_time_left_by_the_present_workers(tally: Tally) -> None:
    tally.ready_since = [994.0, 998.0]  # 8 seconds of one worker made 16 clips in 6: two make 4 per second
    tally.first_ready = 994.0
    state = tally.snapshot()
    assert (state["clips_per_second"], state["times_real_time"]) == (2.67, 26.7)
    assert state["megabytes_per_second"] == 1.33
    assert state["eta_seconds"] == 64 / 4.0


def test_clips_of_a_job_are_its_rate_times_its_time_without_loading(tally: Tally) -> None:
    state = tally.snapshot()
    assert state["loading_seconds"] == 6.0
    assert state["clips_per_second"] * (state["elapsed_seconds"] - state["loading_seconds"]) == tally.done


def test_the_time_of_a_worker_that_died_still_counts(tally: Tally) -> None:
    tally.see_workers(1)
    state = tally.snapshot()
    assert (state["clips_per_second"], state["workers"]) == (4.0, 1)
    assert state["eta_seconds"] == 64 / 2.0


def test_time_without_any_worker_counts(tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    tally.see_workers(0)
    monkeypatch.setattr("jobs.engine.progress.time.monotonic", lambda: 1012.0)
    assert tally.snapshot()["clips_per_second"] == 1.0


def test_a_unit_that_is_done_before_its_worker_is_seen_began_then(tally: Tally) -> None:
    early = Tally(total=16, before=0, item_seconds=1.0, started=990.0)
    early.add(Receipt("unit-000000", 16, 0, 1, won=True, seconds={"forward": 8.0}))
    assert (early.snapshot()["loading_seconds"], early.snapshot()["clips_per_second"]) == (2.0, 2.0)


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


class Terminal(io.StringIO):
    """A stream that says it is watched."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_line_stays_for_each_job_and_events_stand_above_it(tally: Tally) -> None:
    stream = Terminal()
    with reporting_to(StreamReporter(stream)):
        with at_work_on(tally, title="extract \x1b songs") as report:
            report.update()
            report.event("worker_lost", {"unit": "unit-000001", "reason": "killed"})
        assert list(followed([1, 2], total=2, title="probe", unit="tasks")) == [1, 2]
    shown = stream.getvalue()
    assert "worker lost: unit unit-000001, reason killed" in shown
    assert "extract \\x1b songs  36/100 clips" in shown
    assert "probe  2/2 tasks" in shown


def test_nobody_is_told_where_nobody_asked(tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    with at_work_on(tally, title="extract songs") as report:
        report.update()
        report.event("worker_lost", {"unit": "unit-000001"})
        note("its weights are random.")
    assert list(followed([1, 2], total=2, title="probe", unit="tasks")) == [1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_function_is_called_with_every_state_and_a_note_is_a_warning() -> None:
    said: list[Progress] = []
    with told(said.append):
        list(followed("ab", total=2, title="probe", unit="tasks"))
        with pytest.warns(UndertoneWarning, match="its weights are random"):
            note("its weights are random.")
    assert [(one.done, one.total, one.unit) for one in said] == [(done, 2, "tasks") for done in (0, 1, 2)]
    with told(progress=False):
        list(followed("ab", total=2, title="probe", unit="tasks"))
    assert len(said) == 3


def test_the_command_line_notes_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting_to(StreamReporter()):
        note("its weights are random.", kind="Warning")
    assert capsys.readouterr() == ("", "Warning: its weights are random.\n")


def test_without_a_worker_there_is_no_rate_and_no_eta() -> None:
    state = Tally(total=10, before=0, item_seconds=1.0).snapshot()
    assert state["eta_seconds"] is None
    assert "loading the model" in describe("extract", state)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01")])
def test_times_are_written_as_on_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
