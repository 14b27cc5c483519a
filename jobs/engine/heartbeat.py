"""Tell other processes that a driver is at work on a run."""

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
    finished = threading.Event()

    def beat() -> None:
        while True:
            with suppress(OSError):  # storage hiccups; the next beat comes soon
                for collection in collections:
                    collection.beat(driver)
            if finished.wait(EVERY_SECONDS):
                break
        with suppress(OSError):  # it will grow stale by itself
            for collection in collections:
                collection.rest(driver)

    thread = threading.Thread(target=beat, name="heartbeat")  # no daemon: the process waits for its end
    try:
        thread.start()
        yield
    finally:
        finished.set()
        if thread.ident is not None:
            thread.join()  # a second Ctrl-C ends this waiting alone
