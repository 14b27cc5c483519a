"""Keep two commands from replacing, rendering or renaming to a dataset of one name at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from jobs.engine.heartbeat import heartbeat
from store.errors import Conflict
from store.heartbeats import CLAIMS, beat, heartbeat_ages, heartbeat_key, is_at_work
from store.objects.protocol import ObjectStore


@dataclass(frozen=True, slots=True)
class Claim:
    """A name of a dataset on which a command beats while it writes."""

    objects: ObjectStore
    name: str

    @property
    def prefix(self) -> str:
        """Where the heartbeats are."""
        return f"{CLAIMS}/{self.name}"

    def beat(self, driver: str) -> None:
        """Say that the command is at work."""
        beat(self.objects, self.prefix, driver)

    def rest(self, driver: str) -> None:
        """Say that it has ended."""
        self.objects.delete(heartbeat_key(self.prefix, driver))


@contextmanager
def sole_writer(objects: ObjectStore, name: str) -> Iterator[None]:
    """Be the only command that takes away what a dataset of this name holds, for the block.

    Each says that it is there before it looks for others: of two that begin together one goes on at most.
    Commands that only add need no claim, for they replace nothing.

    Raises:
        Conflict: another command is at it.
    """
    driver, claim = uuid4().hex, Claim(objects, name)
    claim.beat(driver)
    try:
        _refuse_others(claim, driver)
    except BaseException:
        with suppress(OSError):
            claim.rest(driver)
        raise
    with heartbeat(claim, driver=driver):
        yield


def _refuse_others(claim: Claim, driver: str) -> None:
    for key, age in heartbeat_ages(claim.objects, claim.prefix).items():
        if key != heartbeat_key(claim.prefix, driver) and is_at_work(age):
            raise Conflict(
                f"Another command writes dataset {claim.name!r} just now (its heartbeat {key} is "
                f"{max(age, 0.0):.0f} s old): run this one again once it has ended, or choose another name."
            )
