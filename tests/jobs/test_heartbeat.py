"""A driver's sign of life."""

import time
from typing import cast

import pytest

from jobs.engine import heartbeat
from store.arrays.collection import Collection
from store.errors import StorageError


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
