"""Tell other processes that a driver is at work on a run."""

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

from store.arrays.collection import Collection
from store.heartbeats import EVERY_SECONDS


@contextmanager
def heartbeat(*collections: Collection) -> Iterator[None]:
    """Beat while the block runs, so that `repair` keeps its hands off."""
    driver = uuid4().hex
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
