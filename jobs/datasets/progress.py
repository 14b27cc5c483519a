"""Progress over recordings whose number is not known beforehand, on standard error."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TextIO, TypeVar

from jobs.terminal_text import printable, unescaped
from store.records import Failure

Result = TypeVar("Result")
REPORT_EVERY_SECONDS = 5.0


class RecordingProgress:
    """Counts recordings as they pass: a live line on a terminal, JSON lines elsewhere."""

    def __init__(self, title: str, *, stream: TextIO | None = None) -> None:
        self._title = printable(title)
        self._stream = stream if stream is not None else sys.stderr
        self._started = time.monotonic()
        self._reported = self._started
        self._recordings = self._failed = 0
        self._status: Any = None

    def __enter__(self) -> Self:
        if self._stream.isatty():
            from rich.console import Console

            self._status = Console(file=unescaped(self._stream)).status(self._title)
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
        elif kind is None:
            self._write_line()

    def count(self, results: Iterable[Result]) -> Iterator[Result]:
        """Pass results through, counting them and those that are failures."""
        for result in results:
            self._recordings += 1
            self._failed += isinstance(result, Failure)
            self._report()
            yield result

    def _report(self) -> None:
        now = time.monotonic()
        if self._status is not None:
            self._status.update(
                f"{self._title}  {self._recordings:,} recordings · {self._failed:,} failed · "
                f"{self._recordings / max(now - self._started, 1e-9):,.0f} recordings/s"
            )
        elif now - self._reported >= REPORT_EVERY_SECONDS:
            self._reported = now
            self._write_line()

    def _write_line(self) -> None:
        values = {
            "event": "progress",
            "job": self._title,
            "recordings": self._recordings,
            "failed": self._failed,
            "elapsed_seconds": round(time.monotonic() - self._started, 1),
        }
        print(json.dumps(values), file=self._stream, flush=True)
