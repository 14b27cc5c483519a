"""Send a job's progress to the reporter of the present context.

A job needs no parameter for it: the command line sets a reporter around every command, Python where it is
asked to, and in between jobs run in silence.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, or something that happened in it."""

    job: str
    """What is being done, such as "extract songs"."""
    event: str
    """"progress", or what happened: "worker_lost", "quarantined", "given_up", "waiting"."""
    values: Mapping[str, Any]
    """JSON values: counts, rates, times in seconds."""
    line: str
    """The same for people."""
    done: int | None = None
    total: int | None = None
    """None where nobody knows beforehand."""
    unit: str = ""
    """What is counted, in the plural."""


class Display(Protocol):
    """Shows one job."""

    def show(self, state: Callable[[], Progress]) -> None:
        """How far the job is; a display that shows nothing now does not ask."""

    def event(self, happened: Progress) -> None:
        """Something that happened."""

    def end(self, last: Progress | None) -> None:
        """The job has ended; `last` is to be shown whatever was shown just before."""


class Reporter(Protocol):
    """Is told of every job of a context."""

    def begin(self, job: str) -> Display:
        """A job begins."""

    def note(self, kind: str, text: str) -> None:
        """Something a reader of the results must know: kind is "Note" or "Warning"."""


_REPORTER: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting_to(reporter: Reporter) -> Iterator[None]:
    """Inside the block jobs report to this one."""
    token = _REPORTER.set(reporter)
    try:
        yield
    finally:
        _REPORTER.reset(token)


def note(text: str, *, kind: str = "Note") -> None:
    """Say something that a reader of the results must know."""
    reporter = _REPORTER.get()
    if reporter is not None:
        reporter.note(kind, text)


class Job:
    """A job at work, which says how far it is."""

    def __init__(self, title: str, state: Callable[[], Progress], display: Display | None) -> None:
        self._title, self._state, self._display = title, state, display

    def update(self) -> None:
        """Say how far it is now."""
        if self._display is not None:
            self._display.show(self._state)

    def event(self, name: str, values: Mapping[str, Any]) -> None:
        """Say that something happened: a lost worker, a quarantined clip."""
        if self._display is not None:
            said = ", ".join(f"{key} {value}" for key, value in values.items())
            self._display.event(Progress(self._title, name, values, f"{name.replace('_', ' ')}: {said}"))


@contextmanager
def at_work(
    title: str, state: Callable[[], Progress], *, tells_end: bool = True, tells_failure: bool = True
) -> Iterator[Job]:
    """Report the progress of a job while the block runs.

    Args:
        title: what is being done.
        state: makes what is said of it.
        tells_end: whether its last state is said where the block ends.
        tells_failure: and where it fails.
    """
    reporter = _REPORTER.get()
    if reporter is None:
        yield Job(title, state, None)
        return
    display = reporter.begin(title)
    try:
        yield Job(title, state, display)
    except BaseException:
        display.end(state() if tells_failure else None)
        raise
    display.end(state() if tells_end else None)


def followed(items: Iterable[Item], *, total: int, title: str, unit: str) -> Iterator[Item]:
    """Pass items on, and say how many of `total` there were."""
    started, done = time.monotonic(), 0

    def state() -> Progress:
        elapsed = time.monotonic() - started
        left = f" · ETA {clock(elapsed / done * (total - done))}" if done else ""
        values = {"done": done, "total": total, "unit": unit, "elapsed_seconds": round(elapsed, 1)}
        line = f"{title}  {done:,}/{total:,} {unit} · {clock(elapsed)}{left}"
        return Progress(title, "progress", values, line, done, total, unit)

    with at_work(title, state, tells_end=False, tells_failure=False) as job:
        job.update()
        for item in items:
            done += 1
            job.update()
            yield item


@contextmanager
def stepped(title: str, *, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function to be called with (done, total) after every step of the block."""
    started, done, total = time.monotonic(), 0, 0

    def state() -> Progress:
        elapsed = time.monotonic() - started
        values = {"done": done, "total": total, "unit": unit, "elapsed_seconds": round(elapsed, 1)}
        line = f"{title}  {done:,}/{total:,} {unit} · {clock(elapsed)}"
        return Progress(title, "progress", values, line, done, total, unit)

    with at_work(title, state, tells_end=False, tells_failure=False) as job:

        def advance(now: int, of: int) -> None:
            nonlocal done, total
            done, total = now, of
            job.update()

        yield advance


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
