"""Tally of a job in units: what is committed, its rate, and what takes the time."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from store.records import Receipt


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
