"""The engine without Ray: units on threads, suspects in processes of their own."""

import errno
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs.engine.dispatch import Committed, Dispatcher, GivenUp, Outcome, Quarantined
from jobs.engine.inline_pool import InlinePool, describe
from jobs.engine.tasks import Stopped, Task
from store.errors import JobFailed, ModelError
from store.records import PlannedClip, Receipt, Unit

Outcomes = list[Outcome[None, Unit]]
Run = Callable[..., Outcomes]


class Worker:
    """Commits by touching a file; `poison` ends its process."""

    def __init__(self, folder: Path, *, poison: str = "", error: Exception | None = None) -> None:
        self.folder, self.poison, self.error = folder, poison, error

    def load(self) -> None:
        (self.folder / f"loaded-{os.getpid()}").touch()

    def run(self, task: Task[Unit]) -> Receipt[None] | None:
        if self.error is not None:
            raise self.error
        if self.poison in (task.trial or {clip.clip_id for clip in task.unit.clips}) - task.quarantined:
            os._exit(11)
        if task.trial is not None:
            return None
        (self.folder / task.unit.unit_id).write_text(f"{os.getpid()} {','.join(sorted(task.quarantined))}")
        return Receipt(task.unit.unit_id, len(task.unit.clips), len(task.quarantined), 0, won=True)

    def stop(self) -> None:
        (self.folder / "stopped").touch()


@pytest.fixture
def units() -> list[Unit]:
    return [
        Unit(f"unit-{u:06d}", 2 * u, tuple(PlannedClip(f"{u}-{c}", "a.wav", 0.0, 1.0) for c in range(2)))
        for u in range(5)
    ]


@pytest.fixture
def run(tmp_path: Path, units: list[Unit], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Dispatch five units of two clips through a pool around `Worker`."""
    monkeypatch.syspath_prepend(Path(__file__).parent)  # a fresh process finds the worker by this name
    monkeypatch.setattr(Worker, "__module__", "test_inline_pool")
    monkeypatch.setitem(sys.modules, "test_inline_pool", sys.modules[__name__])

    def run(*, suspects: frozenset[str] = frozenset(), **options: Any) -> Outcomes:
        pool = InlinePool(partial(Worker, tmp_path, **options))
        try:
            return list(Dispatcher(pool, units, suspects=suspects).run())
        finally:
            pool.close()

    return run


def test_units_run_in_this_process_and_the_worker_is_stopped_at_the_end(
    run: Run, tmp_path: Path, units: list[Unit]
) -> None:
    outcomes = run()
    assert {o.receipt.unit_id for o in outcomes if isinstance(o, Committed)} == {u.unit_id for u in units}
    assert [path.name for path in tmp_path.glob("loaded-*")] == [f"loaded-{os.getpid()}"]
    assert (tmp_path / "stopped").exists()


def test_a_suspect_unit_dies_in_a_process_of_its_own_and_its_poisonous_clip_is_quarantined(
    run: Run, tmp_path: Path, units: list[Unit]
) -> None:
    outcomes = run(suspects=frozenset({"unit-000002"}), poison="2-1")
    assert [o.item_ids for o in outcomes if isinstance(o, Quarantined)] == [{"2-1"}]
    assert {o.receipt.unit_id for o in outcomes if isinstance(o, Committed)} == {u.unit_id for u in units}
    assert (tmp_path / "unit-000002").read_text() == f"{os.getpid()} 2-1"


def test_an_innocent_suspect_is_committed_by_the_process_that_tried_it(run: Run, tmp_path: Path) -> None:
    run(suspects=frozenset({"unit-000003"}))
    assert not (tmp_path / "unit-000003").read_text().startswith(f"{os.getpid()} ")


def test_a_process_that_cannot_even_load_its_worker_condemns_no_clip(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "__module__", "test_inline_pool_that_is_nowhere")
    monkeypatch.setitem(sys.modules, "test_inline_pool_that_is_nowhere", sys.modules[__name__])
    with pytest.raises(JobFailed, match="died while it loaded the model"):
        run(suspects=frozenset({"unit-000000"}))


def test_a_full_disk_ends_the_job_with_its_cure(run: Run) -> None:
    with pytest.raises(JobFailed, match=r"disk is full .* run the same command again"):
        run(error=OSError(errno.ENOSPC, "No space left on device"))


def test_other_errors_give_up_the_unit_after_three_attempts(
    run: Run,
) -> None:
    outcomes = run(error=RuntimeError("odd shape"))
    assert [o.problem.message for o in outcomes if isinstance(o, GivenUp)] == ["odd shape"] * 5


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (ModelError("no weights"), True),
        (Stopped("told to"), True),
        (ValueError("odd"), False),
        (OSError("flaky"), False),
    ],
)
def test_only_what_no_unit_can_survive_is_fatal(error: Exception, fatal: bool) -> None:
    assert describe(error).fatal is fatal


def test_waiting_for_nothing_returns_in_time(tmp_path: Path) -> None:
    pool = InlinePool(partial(Worker, tmp_path))
    started = time.monotonic()
    assert not pool.wait(0.05)
    assert time.monotonic() - started < 2
    pool.close()


def test_a_large_unit_comes_back_from_a_process_of_its_own(run: Run, units: list[Unit]) -> None:
    clips = tuple(PlannedClip(f"{c:016x}", "long/" * 60 + f"{c}.wav", 0.0, 1.0) for c in range(2048))
    units[:] = [Unit("unit-000000", 0, clips)]
    outcomes = run(suspects=frozenset({"unit-000000"}))
    assert [o.receipt.items for o in outcomes if isinstance(o, Committed)] == [2048]
