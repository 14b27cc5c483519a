"""Heartbeats of drivers at work, and those of a stranger or of a clock that was ahead."""

import json
import time
from pathlib import Path

import pytest

from store.errors import Conflict
from store.heartbeats import beat, heartbeat_age_seconds, refuse_if_at_work
from store.objects.local import LocalObjects

BEAT = "runs/world/heartbeat/x"
DAMAGED = {
    "deep": b"[" * 100_000,
    "no object": b"7",
    "no time": b"{}",
    "a text": b'{"at": "now"}',
    "not a number": b'{"at": NaN}',
    "too long a number": b'{"at": 1' + b"0" * 400 + b"}",
    "no UTF-8": b"\xff",
}


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path)


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_heartbeat_keeps_nobody_from_work(objects: LocalObjects, data: bytes) -> None:
    objects.put(BEAT, data)
    assert heartbeat_age_seconds(objects, "runs/world") is None
    refuse_if_at_work(objects, "runs/world")
    beat(objects, "runs/world", "y")
    with pytest.raises(Conflict, match="heartbeat/y is 0 s old"):
        refuse_if_at_work(objects, "runs/world")


@pytest.mark.parametrize("ahead", [1e300, 1e18, 3600.0])
def test_a_heartbeat_from_the_future_is_named_with_what_to_do_and_counts_as_nobody(
    objects: LocalObjects, ahead: float
) -> None:
    at = time.time() + ahead
    objects.put(BEAT, json.dumps({"at": at}).encode())
    assert heartbeat_age_seconds(objects, "runs/world") is None
    with pytest.raises(Conflict, match=f"{BEAT} is a heartbeat from the future.* delete that file"):
        refuse_if_at_work(objects, "runs/world")
    objects.delete(BEAT)
    refuse_if_at_work(objects, "runs/world")


def test_a_clock_that_is_a_little_ahead_is_still_a_driver_at_work(objects: LocalObjects) -> None:
    objects.put(BEAT, json.dumps({"at": time.time() + 20}).encode())
    assert heartbeat_age_seconds(objects, "runs/world") == 0
    with pytest.raises(Conflict, match="at work on runs/world"):
        refuse_if_at_work(objects, "runs/world")
