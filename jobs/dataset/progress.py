"""Progress over recordings: how many passed, were read, were known already, failed, and how long it takes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from jobs.progress.reporting import Job, Progress, at_work, clock
from pipelines.datasets.cutting import Measured
from store.records import Failure

Result = TypeVar("Result")


class RecordingCount:
    """Counts recordings as they pass, of a total where that is known."""

    def __init__(self, title: str, total: int | None = None) -> None:
        self.title, self._total, self._started = title, total, time.monotonic()
        self._recordings = self._failed = 0
        self.known = 0
        """Files that were not read, as they are what they were."""

    def state(self) -> Progress:
        """How many there were, and when the last one comes."""
        elapsed = time.monotonic() - self._started
        read = self._recordings - self.known
        left = None if self._total is None else self._total - self._recordings
        eta = elapsed / self._recordings * left if left and self._recordings else None
        values = {
            "recordings": self._recordings,
            "recordings_total": self._total,
            "known": self.known,
            "failed": self._failed,
            "recordings_per_second": round(self._recordings / max(elapsed, 1e-9), 1),
            "elapsed_seconds": round(elapsed, 1),
            "eta_seconds": None if eta is None else round(eta, 1),
        }
        of = "" if self._total is None else f"/{self._total:,}"
        parts = [
            f"{self._recordings:,}{of} recordings",
            *([f"{self.known:,} known"] if self.known else []),
            f"{self._failed:,} failed",
            f"{read / max(elapsed, 1e-9):,.0f} read/s",
            *([] if eta is None else [f"ETA {clock(eta)}"]),
        ]
        line = f"{self.title}  {' · '.join(parts)}"
        return Progress(self.title, "progress", values, line, self._recordings, self._total, "recordings")

    def count(self, results: Iterable[Result], job: Job) -> Iterator[Result]:
        """Pass results through."""
        for result in results:
            self._recordings += 1
            file = result[1] if isinstance(result, tuple) else None
            if isinstance(file, Measured):
                self.known += file.known
                self._failed += file.failure is not None
            self._failed += isinstance(result, Failure)
            job.update()
            yield result


@contextmanager
def counted(count: RecordingCount, results: Iterable[Result]) -> Iterator[Iterator[Result]]:
    """The results, counted while the block takes them."""
    with at_work(count.title, count.state, tells_failure=False) as job:
        yield count.count(results, job)
