"""Numbered steps of the demo, with the time that each is expected to take and took."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import click

from jobs.terminal import waiting
from jobs.terminal.text import heading

EXPECTED_SECONDS = (
    (1.0, 0.02), (1.0, 0.0), (8.0, 0.1), (9.0, 0.02), (1.0, 0.0), (10.0, 0.02), (2.0, 0.0), (2.0, 0.0),
    (145.0, 0.0), (3.0, 0.0),
)  # fmt: skip
"""Of each step, on two cores of a small machine: at least, and for each clip more."""


Show = Callable[[Callable[[], object]], None]
"""Is given what prints a result, and calls it where somebody looks."""


class Stage(Protocol):
    """Where the steps of the demo are announced, and their results shown."""

    def next(self, title: str) -> AbstractContextManager[None]:
        """Do one step inside the block."""

    def show(self, printing: Callable[[], object]) -> None:
        """Show a result."""


class SilentStage:
    """Where nobody looks: in Python."""

    @contextmanager
    def next(self, title: str) -> Iterator[None]:
        """Do one step inside the block."""
        yield

    def show(self, printing: Callable[[], object]) -> None:
        """Show nothing."""


class Steps:
    """The steps of one demo, in order."""

    def __init__(self, clips: int) -> None:
        self._expected = [least + each * clips for least, each in EXPECTED_SECONDS]
        self._done = 0

    def announce(self) -> None:
        """Say how many steps there are and how long all of them may take."""
        minutes = max(1, round(sum(self._expected) / 60))
        unit = "minute" if minutes == 1 else "minutes"
        click.echo(f"{len(self._expected)} steps, about {minutes} {unit} on two cores; less if begun before.")

    @contextmanager
    def next(self, title: str) -> Iterator[None]:
        """Do one step inside the block."""
        number, expected = self._done + 1, self._expected[self._done]
        self._done = number
        click.echo()
        heading(f"{number}/{len(self._expected)} {title}", rest=f" (about {expected:.0f} s)")
        started = time.monotonic()
        waiting.begin(title)
        yield
        waiting.end()
        click.echo(f"{number}/{len(self._expected)} done in {time.monotonic() - started:.1f} s.")

    def show(self, printing: Callable[[], object]) -> None:
        """Print a result."""
        printing()
