"""Progress of a job in units: committed units, their rate, and what takes the time."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.engine.dispatch import Committed, GivenUp, Idle, Lost, Outcome, Quarantined, Retried
from jobs.engine.metrics import publishing
from jobs.engine.tasks import Found, Pool, Problem, Work, WorkUnit
from jobs.progress.reporting import Job, Progress, at_work, clock
from store.records import Receipt

PATIENCE_SECONDS = 60.0
"""A worker that is not there by then deserves a word."""


@dataclass(slots=True)
class Tally:
    """What a job has done since it started."""

    total: int
    before: int
    """Committed by earlier processes."""
    item_seconds: float
    what: str = "clips"
    """What is counted, in the plural: "clips", "generations"."""
    done: int = 0
    failed: int = 0
    given_up: int = 0
    """Items of units that raised in every attempt: neither committed nor failed one by one."""
    bytes_written: int = 0
    ready_since: list[float] = field(default_factory=list)
    """When each of the present workers was ready."""
    first_ready: float | None = None
    """When the first worker of all was ready; rates leave out the time models take to load until then."""
    left_seconds: float = 0.0
    """Time that workers gave which are gone since."""
    ended: float | None = None
    """When the last unit was reported; what follows (closing workers) is no work."""
    lost_workers: int = 0
    units: int = 0
    retries: int = 0
    """Units that were sent again, after an error or with a lost worker."""
    units_given_up: int = 0
    told_waiting: bool = False
    stage_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    started: float = field(default_factory=time.monotonic)

    def waits_too_long(self, seconds: float) -> bool:
        """Whether there has been no worker for so long; true once."""
        told = self.told_waiting or bool(self.ready_since)
        self.told_waiting = told or time.monotonic() - self.started > seconds
        return self.told_waiting and not told

    def see_workers(self, count: int) -> None:
        """Note how many workers are ready now."""
        now = time.monotonic()
        while len(self.ready_since) > count:
            self.left_seconds += now - self.ready_since.pop()
        self.ready_since += [now] * (count - len(self.ready_since))
        self._note_ready()

    def add(self, receipt: Receipt[Any]) -> None:
        """Count a committed unit."""
        self.units += 1
        self.done += receipt.items
        self.failed += receipt.failed
        self.bytes_written += receipt.bytes_written
        began = time.monotonic() - sum(receipt.seconds.values())  # before its worker was seen to be ready
        self.ready_since[:1] = [min([began, *self.ready_since[:1]])]
        self._note_ready()
        for stage, seconds in receipt.seconds.items():
            self.stage_seconds[stage] += seconds

    def snapshot(self) -> dict[str, Any]:
        """Rates, pressure and remaining time as JSON values; times in seconds.

        Rates are per second on the clock, from when the first worker was ready. The remaining time is what
        the present workers need together, however long each of them has been there.
        """
        now = self.ended or time.monotonic()
        workers = len(self.ready_since)
        loading = (now if self.first_ready is None else self.first_ready) - self.started
        working = max(now - self.started - loading, 1e-9)
        rate = self.done / working if self.done else 0.0
        left = self.total - self.before - self.done
        return {
            self.what: self.before + self.done,
            f"{self.what}_total": self.total,
            "failed": self.failed + self.given_up,
            f"{self.what}_per_second": round(rate, 2),
            "times_real_time": round(rate * self.item_seconds, 1),
            "megabytes_per_second": round(self.bytes_written / working / 1e6, 2),
            "stages": self.pressure(),
            "workers": workers,
            "lost_workers": self.lost_workers,
            "elapsed_seconds": round(now - self.started, 1),
            "loading_seconds": round(max(loading, 0.0), 1),
            "eta_seconds": self._eta(left, now),
        }

    def _eta(self, left: int, now: float) -> float | None:
        worker_seconds = self.left_seconds + sum(now - ready for ready in self.ready_since)
        if not self.done:
            return None
        return round(left * worker_seconds / self.done / max(len(self.ready_since), 1), 1)

    def _note_ready(self) -> None:
        known = [] if self.first_ready is None else [self.first_ready]
        self.first_ready = min([*known, *self.ready_since], default=None)

    def pressure(self) -> dict[str, float]:
        """Share of the workers' time per stage; the largest is the bottleneck."""
        total = sum(self.stage_seconds.values()) or 1.0
        busiest = sorted(self.stage_seconds.items(), key=lambda item: -item[1])
        return {stage: round(seconds / total, 3) for stage, seconds in busiest}


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
            report.event("waiting", {"for": "a worker; a cluster may still be starting machines"})
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
