"""Deliver Ctrl-C, and SIGTERM as the same, also where C code calls Python and would drop the exception."""

import _thread
import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

AGAIN_AFTER_SECONDS = 0.02
# libsndfile reads through these functions: an exception in one is printed and dropped, and the read fails.
_FILE, _PREFIX = "soundfile.py", "vio_"
_coming = threading.Event()
_terminated = threading.Event()


def listen() -> None:
    """Raise `KeyboardInterrupt` in the main thread at Ctrl-C, again where the first was dropped.

    A scheduler's SIGTERM does the same: what a command takes back when it is interrupted, it takes back then.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    sys.unraisablehook = _raise_again_what_was_dropped


def exit_status() -> int:
    """Status of a command that was interrupted, after the signal: 130, or 143 where a scheduler sent it."""
    return 128 + (signal.SIGTERM if _terminated.is_set() else signal.SIGINT)


def leave(say_so: Callable[[], None]) -> NoReturn:
    """End an interrupted command: run what is registered with `atexit`, say so, and wait for no thread.

    A thread that loads a model would import for half a minute more, and warn behind the last word. Another
    Ctrl-C ends a command that is leaving already, without a trace.
    """
    if signal.getsignal(signal.SIGINT) is not _interrupt:  # another program runs this one's functions
        say_so()
        sys.exit(exit_status())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(exit_status()))
    atexit._run_exitfuncs()  # noqa: SLF001 — os._exit runs none
    say_so()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(exit_status())


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGTERM:
        _terminated.set()
    if _is_dropped_in(frame):
        _interrupt_soon()
    else:
        raise KeyboardInterrupt


def _is_dropped_in(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if code.co_name.startswith(_PREFIX) and Path(code.co_filename).name == _FILE:
            return True
        frame = frame.f_back
    return False


def _raise_again_what_was_dropped(dropped: "sys.UnraisableHookArgs") -> None:
    """In finalizers and other callbacks of C, Python can only print an exception: Ctrl-C is no message."""
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        _interrupt_soon()
    else:
        sys.__unraisablehook__(dropped)


def _interrupt_soon() -> None:
    """Once, however often it was asked for: a second would come when the first is being obeyed."""
    if _coming.is_set():
        return
    _coming.set()
    timer = threading.Timer(AGAIN_AFTER_SECONDS, _deliver)
    timer.daemon = True
    timer.start()


def _deliver() -> None:
    _coming.clear()
    _thread.interrupt_main()
