"""Progress over recordings whose number is not known beforehand."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from jobs.progress.reporting import Job, Progress, at_work
from store.records import Failure

Result = TypeVar("Result")


class RecordingCount:
    """Counts recordings as they pass, and those that are failures."""

    def __init__(self, title: str) -> None:
        self._title, self._started = title, time.monotonic()
        self._recordings = self._failed = 0

    def state(self) -> Progress:
        """How many there were."""
        elapsed = time.monotonic() - self._started
        values = {
            "recordings": self._recordings,
            "failed": self._failed,
            "elapsed_seconds": round(elapsed, 1),
        }
        line = (
            f"{self._title}  {self._recordings:,} recordings · {self._failed:,} failed · "
            f"{self._recordings / max(elapsed, 1e-9):,.0f} recordings/s"
        )
        return Progress(self._title, "progress", values, line, self._recordings, None, "recordings")

    def count(self, results: Iterable[Result], job: Job) -> Iterator[Result]:
        """Pass results through."""
        for result in results:
            self._recordings += 1
            self._failed += isinstance(result, Failure)
            job.update()
            yield result


@contextmanager
def counted(title: str, results: Iterable[Result]) -> Iterator[Iterator[Result]]:
    """The results, counted while the block takes them."""
    counting = RecordingCount(title)
    with at_work(title, counting.state, tells_failure=False) as job:
        yield counting.count(results, job)
