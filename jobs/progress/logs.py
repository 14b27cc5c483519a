"""Logs as JSON, one object per line: who asks for them gets nothing else from driver and workers.

    {"time": "2026-01-31T09:15:02.113Z", "level": "info", "message": "unit committed", "run": …, "unit": …}

Python's own logging carries them, so that what libraries log and warn of has the same form.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from io import UnsupportedOperation
from typing import Any, TextIO, cast

from store.errors import redacted

LOG = logging.getLogger("undertone")
_PRINTED = logging.getLogger("undertone.printed")
VARIABLE = "UNDERTONE_LOG"
_RUN: list[str] = []
"""Ids of the runs that this process is at work on; the last one is meant."""
_UNIT: ContextVar[str | None] = ContextVar("unit", default=None)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
LEVELS = {"Note": logging.INFO, "Warning": logging.WARNING, "Error": logging.ERROR}
LOG.addHandler(logging.NullHandler())  # who asks for no log gets none, warnings of it included
_BEFORE: list[tuple[TextIO, list[logging.Handler], int]] = []
"""Standard error, handlers and level of the time before this process logged JSON."""


class JsonLines(logging.Formatter):
    """Makes one JSON object of a record: time, level, message, run, unit, and what else was said with it."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "message": redacted(record.getMessage()),
            "run": _RUN[-1] if _RUN else None,
            "unit": _UNIT.get(),
            "pid": record.process,
            "logger": record.name,
        }
        values |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            values["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps({key: value for key, value in values.items() if value is not None}, default=str)


@dataclass(frozen=True, slots=True)
class Logging:
    """How a process logs, for the processes that it starts."""

    json: bool
    run: str | None = None

    def begin(self) -> None:
        """Log like this for the rest of this process's life."""
        if self.run is not None:
            _RUN.append(self.run)
        if self.json:
            begin_json()
            sys.stdout = cast("TextIO", _Lines())


def logging_now() -> Logging:
    """How this process logs."""
    return Logging(bool(_BEFORE), _RUN[-1] if _RUN else None)


def is_wanted() -> bool:
    """Whether UNDERTONE_LOG asks for JSON."""
    return os.environ.get(VARIABLE) == "json"


def begin_json() -> None:
    """From now on standard error gets JSON only: logs, warnings, and whatever else is written to it."""
    if _BEFORE:
        return
    root = logging.getLogger()
    _BEFORE.append((sys.stderr, root.handlers[:], root.level))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    sys.stderr = cast("TextIO", _Lines())


def end_json() -> None:
    """Undo `begin_json`."""
    if _BEFORE:
        logging.captureWarnings(capture=False)
        root = logging.getLogger()
        sys.stderr, root.handlers[:], level = _BEFORE.pop()
        root.setLevel(level)
        LOG.setLevel(logging.NOTSET)


class _Lines:
    """A text stream whose lines go to the log; how they begin tells their level."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        """Log every line that ends."""
        *lines, self._begun = (self._begun + text).replace("\r", "\n").split("\n")
        for line in filter(None, lines):
            kind, colon, rest = line.partition(": ")
            level = LEVELS.get(kind.capitalize())
            _PRINTED.log(level or logging.INFO, "%s", rest if level and colon else line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Lines go out when they end."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise UnsupportedOperation("fileno")


@contextmanager
def about_run(run_id: str) -> Iterator[None]:
    """Inside the block this process is at work on a run, in whatever thread.

    A sweep is called by its name there, an evaluation by the dataset that it scores.
    """
    _RUN.append(run_id)
    try:
        yield
    finally:
        _RUN.remove(run_id)


@contextmanager
def about_unit(unit_id: str) -> Iterator[None]:
    """Inside the block this thread is at work on a unit."""
    token = _UNIT.set(unit_id)
    try:
        yield
    finally:
        _UNIT.reset(token)


def as_extra(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values under names that a record of the log does not have itself."""
    return {f"event_{key}" if key in _STANDARD else key: value for key, value in values.items()}
