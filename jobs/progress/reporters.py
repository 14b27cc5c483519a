"""Show progress: a live line on a terminal, JSON lines elsewhere, the log, or a call of a function."""

import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from jobs.progress.logs import LEVELS, LOG, as_extra
from jobs.progress.reporting import Display, Progress, Reporter, reporting_to
from jobs.terminal.text import printable, tell, unescaped
from store.errors import UndertoneWarning

REPORT_EVERY_SECONDS = 5.0
"""Between two JSON lines of a job."""
Told = bool | Callable[[Progress], None]
"""Whether progress is shown on standard error, or a function that is called with it."""


class StreamReporter:
    """Tells a stream: on a terminal a live line per job, elsewhere JSON lines every five seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def begin(self, job: str) -> Display:
        """A job begins."""
        stream = self._stream if self._stream is not None else sys.stderr  # as it is now, not as it was
        return _LiveLine(stream, job) if _is_watched(stream) else _JsonLines(stream)

    def note(self, kind: str, text: str) -> None:
        """A sentence, as wide as a terminal is."""
        if self._stream is None:
            tell(f"{kind}: {text}")
        else:
            self._stream.write(f"{kind}: {printable(text)}\n")


class PythonReporter:
    """Tells a function, or nobody, how far work is; notes become warnings."""

    def __init__(self, told: Callable[[Progress], None] | None) -> None:
        self._told = told

    def begin(self, job: str) -> Display:
        """A job begins."""
        return _Calls(self._told)

    def note(self, kind: str, text: str) -> None:
        """A warning, which Python shows once for each text."""
        _warn(text)


class _WatchedPython(StreamReporter):
    """Shows progress where Python was asked to; notes become warnings."""

    def note(self, kind: str, text: str) -> None:
        _warn(text)


def _warn(text: str) -> None:
    warnings.warn(text, UndertoneWarning, stacklevel=2)


@contextmanager
def told(progress: Told) -> Iterator[None]:
    """Inside the block work reports as `progress` says: True shows it, a function is called with it."""
    reporter: Reporter = _WatchedPython() if progress is True else PythonReporter(progress or None)
    with reporting_to(reporter):
        yield


class _LiveLine:
    """One line that is written anew."""

    def __init__(self, stream: TextIO, job: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(file=unescaped(stream)), refresh_per_second=4, transient=False)
        self._write(job)
        self._live.start()

    def show(self, state: Callable[[], Progress]) -> None:
        self._write(state().line)

    def event(self, happened: Progress) -> None:
        self._live.console.print(printable(happened.line), highlight=False, markup=False)

    def end(self, last: Progress | None) -> None:
        if last is not None:
            self._write(last.line)
        self._live.stop()

    def _write(self, line: str) -> None:
        from rich.text import Text

        self._live.update(Text(printable(line)))  # a name in brackets is no markup


class _JsonLines:
    """One JSON object per line, for logs and programs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._said = stream, time.monotonic()

    def show(self, state: Callable[[], Progress]) -> None:
        now = time.monotonic()
        if now - self._said >= REPORT_EVERY_SECONDS:
            self._said = now
            self.event(state())

    def event(self, happened: Progress) -> None:
        values: dict[str, Any] = {"event": happened.event, "job": printable(happened.job), **happened.values}
        self._stream.write(json.dumps(values) + "\n")
        self._stream.flush()

    def end(self, last: Progress | None) -> None:
        if last is not None:
            self.event(last)


class LogReporter:
    """Tells the log how far jobs are, and what happened in them."""

    def begin(self, job: str) -> Display:
        """A job begins."""
        LOG.info("job begins", extra={"job": job})
        return _Logged(job)

    def note(self, kind: str, text: str) -> None:
        """A sentence."""
        LOG.log(LEVELS.get(kind, logging.INFO), text)


class _Logged:
    def __init__(self, job: str) -> None:
        self._job, self._said = job, time.monotonic()

    def show(self, state: Callable[[], Progress]) -> None:
        if time.monotonic() - self._said >= REPORT_EVERY_SECONDS:
            self._said = time.monotonic()
            self.event(state())

    def event(self, happened: Progress) -> None:
        level = logging.INFO if happened.event == "progress" else logging.WARNING
        LOG.log(
            level, happened.event.replace("_", " "), extra={"job": happened.job, **as_extra(happened.values)}
        )

    def end(self, last: Progress | None) -> None:
        if last is not None:
            self.event(last)


class _Calls:
    """Calls a function with everything."""

    def __init__(self, told: Callable[[Progress], None] | None) -> None:
        self._told = told

    def show(self, state: Callable[[], Progress]) -> None:
        if self._told is not None:
            self._told(state())

    def event(self, happened: Progress) -> None:
        if self._told is not None:
            self._told(happened)

    def end(self, last: Progress | None) -> None:
        if last is not None:
            self.event(last)


def _is_watched(stream: TextIO) -> bool:
    """Whether somebody sees lines change: a terminal, or a notebook's standard error."""
    return stream.isatty() or (stream is sys.stderr and "ipykernel" in sys.modules)
