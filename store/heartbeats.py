"""Heartbeats: small files that say when a command was last at work on a run, codes or features."""

import json
import time

from store.errors import Conflict, UndertoneError
from store.objects import ObjectStore

FRESH_SECONDS = 60.0
"""A heartbeat younger than this belongs to a command that is at work; one beats every ten seconds."""


def heartbeat_ages(objects: ObjectStore, prefix: str) -> dict[str, float]:
    """Key of every heartbeat of a collection → seconds since that command was last heard of."""
    ages = {}
    for key, _ in objects.list(f"{prefix}/heartbeat"):
        try:
            ages[key] = max(0.0, time.time() - float(json.loads(objects.get(key))["at"]))
        except (UndertoneError, ValueError, LookupError, TypeError):  # it ended just now, or it is damaged
            continue
    return ages


def heartbeat_age_seconds(objects: ObjectStore, prefix: str) -> float | None:
    """Seconds since the youngest heartbeat of a collection; None where there is none."""
    return min(heartbeat_ages(objects, prefix).values(), default=None)


def refuse_if_at_work(objects: ObjectStore, prefix: str, fresh_seconds: float = FRESH_SECONDS) -> None:
    """Raise `Conflict` where a command is at work on a collection."""
    age = heartbeat_age_seconds(objects, prefix)
    if age is not None and age < fresh_seconds:
        raise Conflict(
            f"A run is at work on {prefix} (its heartbeat is {age:.0f} s old): stop it, or wait "
            f"{fresh_seconds:.0f} s after it has ended."
        )
