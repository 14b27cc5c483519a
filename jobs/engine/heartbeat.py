"""Tell other processes that a driver is at work on a run."""

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from uuid import uuid4

from store.heartbeats import EVERY_SECONDS


class Place(Protocol):
    """A collection, or a claim on a name: where drivers say that they are at work."""

    def beat(self, driver: str) -> None:
        """Say that a driver is at work."""

    def rest(self, driver: str) -> None:
        """Say that it has ended."""


@contextmanager
def heartbeat(*collections: Place, driver: str | None = None) -> Iterator[None]:
    """Beat while the block runs, so that `repair` keeps its hands off."""
    driver = driver or uuid4().hex
    finished, rested = threading.Event(), threading.Event()

    def live() -> None:
        try:
            beat()
            with suppress(OSError):  # it will grow stale by itself
                for collection in collections:
                    collection.rest(driver)
        finally:
            rested.set()

    def beat() -> None:
        while True:
            with suppress(OSError):  # storage hiccups; the next beat comes soon
                for collection in collections:
                    collection.beat(driver)
            if finished.wait(EVERY_SECONDS):
                return

    thread = threading.Thread(target=live, name="heartbeat")  # no daemon: the process waits for its end
    try:
        thread.start()
        atexit.register(rested.wait)  # an interrupted command waits for no other thread
        yield
    finally:
        finished.set()
        if thread.ident is not None:
            rested.wait()  # a second Ctrl-C ends this waiting alone; one in join() would lose the thread
        atexit.unregister(rested.wait)
