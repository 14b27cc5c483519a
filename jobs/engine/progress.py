"""Report the outcomes of a job in units: progress, metrics, and what is out of the ordinary."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from jobs.engine.dispatch import Committed, GivenUp, Idle, Lost, Outcome, Quarantined, Retried
from jobs.engine.metrics import publishing
from jobs.engine.tally import Tally
from jobs.engine.tasks import Found, Pool, Problem, Work, WorkUnit
from jobs.progress.reporting import Job, Progress, at_work, clock

PATIENCE_SECONDS = 60.0
"""A worker that is not there by then deserves a word."""


def at_work_on(tally: Tally, *, title: str) -> AbstractContextManager[Job]:
    """A job of the block, which says what its tally counts."""

    def state() -> Progress:
        values = tally.snapshot()
        line = describe(title, values, what=tally.what)
        return Progress(
            title, "progress", values, line, values[tally.what], values[f"{tally.what}_total"], tally.what
        )

    return at_work(title, state)


def counted(
    outcomes: Iterable[Outcome[Found, Work]],
    pool: Pool[Work, Found],
    tally: Tally,
    *,
    title: str,
    metrics_file: Path | None = None,
) -> Iterator[Outcome[Found, Work]]:
    """The outcomes of a dispatcher, while a tally counts them, and report and metrics tell what it says."""
    with (
        publishing(tally, title=title, file=metrics_file) as metrics,
        at_work_on(tally, title=title) as report,
    ):
        for outcome in outcomes:
            tally.see_workers(pool.workers())
            count(outcome, tally, report)
            metrics.update()
            yield outcome
        tally.ended = time.monotonic()


def count(outcome: Outcome[Found, Work], tally: Tally, report: Job) -> None:
    """Add an outcome to the tally, and report what is out of the ordinary."""
    match outcome:
        case Committed(receipt):
            tally.add(receipt)
        case Lost(unit, reason):
            tally.lost_workers += 1
            tally.retries += 1
            report.event("worker_lost", {"unit": unit.unit_id, "reason": reason})
        case Quarantined(unit, item_ids):
            report.event("quarantined", {"unit": unit.unit_id, tally.what: sorted(item_ids)})
        case Retried(unit, problem):
            tally.retries += 1
            report.event("retried", _said_of(unit, problem))
        case GivenUp(unit, problem):
            tally.given_up += len(unit.item_ids)
            tally.units_given_up += 1
            report.event("given_up", _said_of(unit, problem))
        case Idle() if tally.waits_too_long(PATIENCE_SECONDS):
            report.event("waiting", {"for": "a worker: the machine is busy, or a cluster starts machines"})
    report.update()


def _said_of(unit: WorkUnit, problem: Problem) -> dict[str, str]:
    return {"unit": unit.unit_id, "error": problem.error, "message": problem.message}


def describe(title: str, state: Mapping[str, Any], *, what: str = "clips") -> str:
    """One line for people."""
    rate = state[f"{what}_per_second"]
    if not state["workers"] and not rate:
        return f"{title}  loading the model … {clock(state['elapsed_seconds'])}"
    stages: Mapping[str, float] = state["stages"]
    parts = [
        f"{title}  {state[what]:,}/{state[f'{what}_total']:,} {what}",
        f"{rate:.1f}/s",
        f"{state['times_real_time']:.0f}× real time",
        f"{state['megabytes_per_second']:.1f} MB/s",
        f"{state['workers']} worker{'' if state['workers'] == 1 else 's'}",
        *(f"{share:.0%} {stage}" for stage, share in list(stages.items())[:1]),
        f"{state['failed']} failed",
        *([] if state["eta_seconds"] is None else [f"ETA {clock(state['eta_seconds'])}"]),
    ]
    return " · ".join(parts)
