"""A driver's sign of life."""

import time
from pathlib import Path
from typing import cast

import pytest

from jobs.engine import heartbeat
from store import heartbeats
from store.arrays.collection import Collection
from store.errors import Conflict, StorageError
from store.objects.local import LocalObjects


class Flaky:
    """A collection whose storage fails on the second beat."""

    def __init__(self) -> None:
        self.beats: list[str] = []
        self.rested: list[str] = []

    def beat(self, driver: str) -> None:
        self.beats.append(driver)
        if len(self.beats) == 2:
            raise StorageError("the network is away for a moment")

    def rest(self, driver: str) -> None:
        self.rested.append(driver)


def test_a_failing_storage_does_not_end_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.01)
    flaky = Flaky()
    with heartbeat.heartbeat(cast(Collection, flaky)):
        until = time.monotonic() + 5
        while len(flaky.beats) < 5 and time.monotonic() < until:
            time.sleep(0.01)
    assert len(flaky.beats) >= 5
    assert flaky.rested == flaky.beats[:1]


def test_a_driver_beats_as_often_as_the_store_expects() -> None:
    """Six beats may be late or lost before others take a driver for dead."""
    assert vars(heartbeat)["EVERY_SECONDS"] == heartbeats.EVERY_SECONDS
    assert 6 * heartbeats.EVERY_SECONDS <= heartbeats.FRESH_SECONDS


def test_a_driver_between_two_beats_is_never_taken_for_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is one whose last five beats were lost; what is silent for longer than the limit is."""
    objects, now = LocalObjects(tmp_path), time.time()
    heartbeats.beat(objects, "runs/world", "driver")
    for seconds in (heartbeats.EVERY_SECONDS, 6 * heartbeats.EVERY_SECONDS - 1):
        monkeypatch.setattr(time, "time", lambda later=now + seconds: later)
        assert heartbeats.is_at_work(heartbeats.heartbeat_age_seconds(objects, "runs/world"))
        with pytest.raises(Conflict, match="at work on runs/world"):
            heartbeats.refuse_if_at_work(objects, "runs/world")
    monkeypatch.setattr(time, "time", lambda: now + heartbeats.FRESH_SECONDS + 1)
    assert not heartbeats.is_at_work(heartbeats.heartbeat_age_seconds(objects, "runs/world"))
    heartbeats.refuse_if_at_work(objects, "runs/world")
