"""A clock for silent commands: shows on a terminal what is being done, and for how long.

It gives way to whatever is printed, and to progress that draws itself.
"""

import os
import shutil
import sys
import threading
import time
from typing import TextIO

SILENT_SECONDS = 1.0
ERASE_REST = "\x1b[K"
"""Clears a terminal's line from the cursor on."""
_ERASE = f"\r{ERASE_REST}"


class Clock:
    """One line at the bottom of a terminal, drawn anew each second while nothing else is printed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._what = ""
        self._since = self._heard = time.monotonic()
        self._is_running = self._is_drawn = False

    def begin(self, what: str) -> None:
        """Count from now on."""
        with self._lock:
            self._what, self._since = what, time.monotonic()
            self._heard = self._since
            if not self._is_running:
                self._is_running = True
                self._changed.clear()
                threading.Thread(target=self._tick, args=(self._changed,), name="clock", daemon=True).start()

    def tell(self, what: str) -> None:
        """Say what is being done now; the count goes on."""
        with self._lock:
            self._what = what

    def give_way(self) -> None:
        """Something is printed: take the line away until it has been silent again for a while."""
        with self._lock:
            self._heard = time.monotonic()
            self._erase()

    def end(self) -> None:
        """Draw no more until the next `begin`."""
        with self._lock:
            self._erase()
            self._changed.set()
            self._changed = threading.Event()
            self._is_running = False

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(SILENT_SECONDS):
            with self._lock:
                if not ended.is_set() and time.monotonic() - self._heard >= SILENT_SECONDS:
                    self._draw()

    def _draw(self) -> None:
        minutes, seconds = divmod(round(time.monotonic() - self._since), 60)
        clock = f" … {minutes}:{seconds:02}"
        width = shutil.get_terminal_size().columns - len(clock) - 1
        self._is_drawn = True
        self._write(f"{_ERASE}{self._what[:width]}{clock}")

    def _erase(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._write(_ERASE)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # the terminal is gone; whoever prints next is told
            self._changed.set()


_clock: Clock | None = None


def begin(what: str) -> None:
    """Start the clock of this command anew, where standard error is a terminal that can erase."""
    global _clock  # noqa: PLW0603 (one terminal, one clock)
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return
    if _clock is None:
        _clock = Clock(getattr(sys.stderr, "below", sys.stderr))
    _clock.begin(what)


def tell(what: str) -> None:
    """Say what the command is doing now."""
    if _clock is not None:
        _clock.tell(what)


def give_way() -> None:
    """Say that something is printed just now."""
    if _clock is not None:
        _clock.give_way()


def end() -> None:
    """Stop the clock: what draws on the terminal itself begins, or the command ends."""
    if _clock is not None:
        _clock.end()
