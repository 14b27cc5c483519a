"""Progress of a fit over its tasks: one live line on a terminal, JSON lines elsewhere."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click

from jobs.engine.progress import REPORT_EVERY_SECONDS, clock
from jobs.terminal_text import printable, unescaped

Item = TypeVar("Item")


def followed(items: Iterable[Item], *, total: int, title: str, unit: str) -> Iterator[Item]:
    """Pass items on, and say on standard error how many of `total` there were."""
    if sys.stderr.isatty():
        yield from _on_terminal(items, total, title, unit)
    else:
        yield from _in_lines(items, total, title, unit)


def _on_terminal(items: Iterable[Item], total: int, title: str, unit: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.live import Live

    started = time.monotonic()
    with Live(console=Console(file=unescaped(sys.stderr)), refresh_per_second=4) as live:
        live.update(_line(title, 0, total, unit, 0.0))
        for done, item in enumerate(items, start=1):
            live.update(_line(title, done, total, unit, time.monotonic() - started))
            yield item


def _in_lines(items: Iterable[Item], total: int, title: str, unit: str) -> Iterator[Item]:
    started = reported = time.monotonic()
    for done, item in enumerate(items, start=1):
        now = time.monotonic()
        if now - reported >= REPORT_EVERY_SECONDS:
            reported = now
            state = {"done": done, "total": total, "unit": unit, "elapsed_seconds": round(now - started, 1)}
            click.echo(json.dumps({"event": "progress", "job": title, **state}), err=True)
        yield item


def _line(title: str, done: int, total: int, unit: str, elapsed_seconds: float) -> str:
    left = f" · ETA {clock(elapsed_seconds / done * (total - done))}" if done else ""
    return f"{printable(title)}  {done:,}/{total:,} {unit} · {clock(elapsed_seconds)}{left}"
