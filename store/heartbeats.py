"""Heartbeats: small files that say when a command was last at work on a run, codes, features or a name."""

import math
import time

from store.arrays.zarr_metadata import decoded_json, encoded_json
from store.errors import Conflict, UndertoneError
from store.objects.protocol import ObjectStore

CLAIMS = "claims"
"""Folder of the heartbeats of commands that replace, render or rename to a dataset, by its name."""
EVERY_SECONDS = 10.0
"""How often a command at work beats."""
FRESH_SECONDS = 60.0
"""A heartbeat younger than this belongs to a command that is at work: six beats may be late or lost."""
AHEAD_SECONDS = 60.0
"""By so much may the clock of another machine be ahead."""


def heartbeat_key(prefix: str, driver: str) -> str:
    """Key of the heartbeat of one driver; every driver has its own."""
    return f"{prefix}/heartbeat/{driver}"


def beat(objects: ObjectStore, prefix: str, driver: str) -> None:
    """Say that a driver is at work now."""
    objects.put(heartbeat_key(prefix, driver), encoded_json({"at": time.time()}))


def heartbeat_ages(objects: ObjectStore, prefix: str) -> dict[str, float]:
    """Key of every heartbeat of a collection → seconds since then, below 0 where it is from the future.

    One that is damaged tells nothing, and belongs to nobody at work.
    """
    ages = {}
    for key, _ in list(objects.list(f"{prefix}/heartbeat")):
        try:
            at = float(decoded_json(objects.get(key), key)["at"])
        except (UndertoneError, ValueError, LookupError, TypeError, OverflowError):  # or it ended just now
            continue
        if math.isfinite(at):
            ages[key] = time.time() - at
    return ages


def heartbeat_age_seconds(objects: ObjectStore, prefix: str) -> float | None:
    """Seconds since the youngest heartbeat of a collection; None where there is none.

    One from the future says nothing of now.
    """
    ages = [age for age in heartbeat_ages(objects, prefix).values() if age >= -AHEAD_SECONDS]
    return max(0.0, min(ages)) if ages else None


def is_at_work(age_seconds: float | None) -> bool:
    """Whether the youngest heartbeat is one of a command that is at work now."""
    return age_seconds is not None and age_seconds < FRESH_SECONDS


def refuse_if_at_work(objects: ObjectStore, prefix: str, fresh_seconds: float = FRESH_SECONDS) -> None:
    """Raise `Conflict` where a heartbeat is fresh, or from the future, so that nobody knows how old it is."""
    for key, age in heartbeat_ages(objects, prefix).items():
        if age < -AHEAD_SECONDS:
            raise Conflict(
                f"{objects.url}/{key} is a heartbeat from the future: a clock was ahead, or the file is "
                "damaged. If no command is at work on this store, delete that file and try again."
            )
        if age < fresh_seconds:
            raise Conflict(
                f"A run is at work on {prefix} (its heartbeat {key} is {age:.0f} s old): stop it, or wait "
                f"{fresh_seconds:.0f} s after it has ended."
            )
