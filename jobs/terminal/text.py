"""Text that is safe for a terminal: control characters are shown, not sent.

Names of files, labels and messages come from anywhere. Programs get them exactly, as CSV, JSON or Parquet.
"""

import re
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TextIO, TypeVar

import click

from jobs.terminal import waiting
from store.errors import CatalogWarning

_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
"""They make a terminal show characters in another order than they stand in."""
_HALVES = "\ud800-\udfff"
"""Bytes of a name that are no UTF-8, as Python holds them."""
_IN_TEXT = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_HALVES}]|(?<!^)\r(?!\n)")
_IN_LINE = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_HALVES}\t\n\r\u2028\u2029]")

_COMMAND = re.compile(r"`[^`]*`")
_UNBROKEN = "\ue000"
"""Stands for a space where no line may end; it is of no alphabet."""
LEAST_WIDTH = 20

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def printable(text: str) -> str:
    """Text of one line, a cell or a name, with control characters as escapes: `\\x1b`, `\\n`, `\\u202e`."""
    return _IN_LINE.sub(_escaped, text)


def heading(text: str, *, rest: str = "") -> None:
    """Print a line that begins in bold where a terminal shows it."""
    first, *further = wrapped(printable(text) + printable(rest)).split("\n")
    bold = first[: len(printable(text))]
    lines = [click.style(bold, bold=True) + first[len(bold) :], *further]
    waiting.give_way()
    click.echo("\n".join(lines), file=_below(sys.stdout))


def columns(most: int) -> int:
    """Columns for a table or a sentence on standard output: those of the terminal, if it has fewer."""
    return min(most, shutil.get_terminal_size().columns) if sys.stdout.isatty() else most


def tell(text: str) -> None:
    """Print an error, a note or a warning, which is one line and no result, on standard error."""
    click.echo(wrapped(printable(text), stream=sys.stderr), err=True)


def wrapped(text: str, *, indent: int = 0, stream: TextIO | None = None) -> str:
    """Lines that fit the terminal, broken between words; elsewhere the text itself.

    Further lines of a line begin with `indent` spaces. What stands between backticks stays in one piece, so
    that a command can be copied.
    """
    stream = stream or sys.stdout
    if not stream.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, indent + LEAST_WIDTH)
    return "\n".join(_filled(line, width, indent) for line in text.split("\n"))


def _filled(line: str, width: int, indent: int) -> str:
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _UNBROKEN), line)
    pieces = textwrap.wrap(
        whole,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return "\n".join(pieces).replace(_UNBROKEN, " ")


def unescaped(stream: TextIO) -> TextIO:
    """The stream below, for what draws on a terminal itself and whose texts went through `printable`."""
    waiting.end()
    return _below(stream)


def _below(stream: TextIO) -> TextIO:
    return stream.below if isinstance(stream, EscapingStream) else stream


class EscapingStream:
    """A text stream that shows the control characters written to it; lines, tabs and a leading \\r pass."""

    def __init__(self, below: TextIO) -> None:
        self.below = below
        self.is_over = False
        """Whether its command has ended: libraries that write a code when Python ends ask `closed` first."""

    @property
    def closed(self) -> bool:
        """Whether nothing more is expected here."""
        return self.is_over or self.below.closed

    def write(self, text: str) -> int:
        """Write text; returns its length, as streams do."""
        if text.endswith("\n"):
            waiting.give_way()
        elif text:  # a line that goes on, or is written over
            waiting.end()
        self.below.write(_IN_TEXT.sub(_escaped, text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


def for_people(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """While a command runs, output shows control characters, notes are a line, and silence has a clock."""

    @wraps(command)
    def guarded(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        with _escaping_streams(), warnings.catch_warnings():
            warnings.showwarning = _note_or(warnings.showwarning)
            warnings.simplefilter("always", CatalogWarning)
            waiting.begin("loading")
            try:
                return command(*arguments, **options)
            finally:
                waiting.end()

    return guarded


@contextmanager
def _escaping_streams() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    for stream in before:
        _make_total(stream)
    streams = sys.stdout, sys.stderr = [EscapingStream(_below(stream)) for stream in before]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in streams:
            stream.is_over = True


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
                tell(f"Note: {message}")
            told.add(str(message))
        else:
            others(message, category, *rest, **named)

    return show


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
