"""Text for people without what would command their terminal: control characters are shown, not sent.

Names of files, labels and messages come from anywhere. Programs get them exactly, as CSV, JSON or Parquet.
"""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TextIO, TypeVar

import click

from store.errors import CatalogWarning

_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
"""They make a terminal show characters in another order than they stand in."""
_HALVES = "\ud800-\udfff"
"""Bytes of a name that are no UTF-8, as Python holds them."""
_IN_TEXT = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_HALVES}]|(?<!^)\r(?!\n)")
_IN_LINE = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_HALVES}\t\n\r\u2028\u2029]")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def printable(text: str) -> str:
    """Text of one line, a cell or a name, with control characters as escapes: `\\x1b`, `\\n`, `\\u202e`."""
    return _IN_LINE.sub(_escaped, text)


def heading(text: str, *, rest: str = "") -> None:
    """Print a line that begins in bold where a terminal shows it."""
    styled = click.style(printable(text), bold=True) + printable(rest)
    click.echo(styled, file=unescaped(sys.stdout))


def unescaped(stream: TextIO) -> TextIO:
    """The stream below, for what draws on a terminal itself and whose texts went through `printable`."""
    return stream.below if isinstance(stream, EscapingStream) else stream


class EscapingStream:
    """A text stream that shows the control characters written to it; lines, tabs and a leading \\r pass."""

    def __init__(self, below: TextIO) -> None:
        self.below = below

    def write(self, text: str) -> int:
        """Write text; returns its length, as streams do."""
        self.below.write(_IN_TEXT.sub(_escaped, text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


def for_people(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """While a command runs, standard output and error show control characters, and notes are one line."""

    @wraps(command)
    def guarded(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        with _escaping_streams(), warnings.catch_warnings():
            warnings.showwarning = _note_or(warnings.showwarning)
            warnings.simplefilter("always", CatalogWarning)
            return command(*arguments, **options)

    return guarded


@contextmanager
def _escaping_streams() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    for stream in before:
        _make_total(stream)
    sys.stdout, sys.stderr = (EscapingStream(unescaped(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _make_total(stream: TextIO) -> None:
    """No character may fail: an ASCII locale gets UTF-8, as Python itself would choose, others escapes."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        ascii_only = (stream.encoding or "ascii").lower() in ("ascii", "us-ascii", "ansi_x3.4-1968", "646")
        reconfigure(encoding="utf-8" if ascii_only else None, errors="backslashreplace")


def _note_or(others: Callable[..., None]) -> Callable[..., None]:
    told: set[str] = set()  # a filter "once" forgets whenever a library changes its filters

    def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        if issubclass(category, CatalogWarning):
            if str(message) not in told:
                click.echo(f"Note: {message}", err=True)
            told.add(str(message))
        else:
            others(message, category, *rest, **named)

    return show


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
