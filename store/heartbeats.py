"""Heartbeats: small files that say when a driver was last at work on a collection."""

import math
import time
from collections.abc import Iterator

from store.errors import Conflict, UndertoneError
from store.objects import ObjectStore
from store.zarr_metadata import decoded_json, encoded_json

FRESH_SECONDS = 60.0
AHEAD_SECONDS = 60.0
"""By so much may the clock of another machine be ahead."""


def heartbeat_key(prefix: str, driver: str) -> str:
    """Key of the heartbeat of one driver; every driver has its own."""
    return f"{prefix}/heartbeat/{driver}"


def beat(objects: ObjectStore, prefix: str, driver: str) -> None:
    """Say that a driver is at work now."""
    objects.put(heartbeat_key(prefix, driver), encoded_json({"at": time.time()}))


def age_seconds(objects: ObjectStore, prefix: str) -> float | None:
    """Seconds since the last beat of any driver that has not ended in order; None where there is none.

    A beat from the future says nothing of now.
    """
    ages = [age for _, age in _ages(objects, prefix) if age >= -AHEAD_SECONDS]
    return max(0.0, min(ages)) if ages else None


def refuse_while_at_work(objects: ObjectStore, prefix: str, fresh_seconds: float = FRESH_SECONDS) -> None:
    """Raise `Conflict` where a heartbeat is fresh, or from the future, so that nobody knows how old it is."""
    for key, age in _ages(objects, prefix):
        if age < -AHEAD_SECONDS:
            raise Conflict(
                f"{objects.url}/{key} is a heartbeat from the future: a clock was ahead, or the file is "
                "damaged. If no command is at work on this store, delete that file and try again."
            )
        if age < fresh_seconds:
            raise Conflict(
                f"A run is at work on {prefix} ({key} is {age:.0f} s old): stop it, or wait "
                f"{fresh_seconds:.0f} s after it has ended."
            )


def _ages(objects: ObjectStore, prefix: str) -> Iterator[tuple[str, float]]:
    """Key and age of every heartbeat; one that is damaged tells nothing, and belongs to nobody at work."""
    for key, _ in list(objects.list(f"{prefix}/heartbeat")):
        try:
            at = float(decoded_json(objects.get(key), key)["at"])
        except (UndertoneError, ValueError, LookupError, TypeError, OverflowError):  # or it ended just now
            continue
        if math.isfinite(at):
            yield key, time.time() - at
