"""Messages between a driver and its workers: tasks one way, events the other."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

from store.records import Receipt

Item = TypeVar("Item")
Found = TypeVar("Found")
"""What a worker says of a unit beside its counts."""


class WorkUnit(Protocol):
    """Items that are computed and committed together: the clips of a `store.records.Unit`, or a `Batch`."""

    @property
    def unit_id(self) -> str:
        """Its name within the job."""

    @property
    def item_ids(self) -> Sequence[str]:
        """Ids of its items, each once."""


Work = TypeVar("Work", bound=WorkUnit)


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """A unit of anything that has an id; it carries the items, so that a worker has nothing to look up."""

    unit_id: str
    items: Mapping[str, Item]
    """By id."""

    @property
    def item_ids(self) -> tuple[str, ...]:
        """Ids of its items."""
        return tuple(self.items)


def batches(items: Mapping[str, Item], size: int, done: Container[str] = ()) -> Iterator[Batch[Item]]:
    """Cut items into batches of those that are still to be done.

    They are cut from all of the items, so that two drivers at once cut the same ones.
    """
    ids = list(items)
    for first in range(0, len(ids), size):
        missing = {one: items[one] for one in ids[first : first + size] if one not in done}
        if missing:
            yield Batch(f"unit-{first // size:06d}", missing)


@dataclass(frozen=True, slots=True)
class Task(Generic[Work]):
    """One unit to compute, or a trial of some of its items that writes nothing."""

    unit: Work
    quarantined: frozenset[str] = frozenset()
    """Ids of items that killed a worker: recorded as failed, never computed."""
    trial: frozenset[str] | None = None
    """If given, compute just these items and discard the result: does the worker survive?"""
    alone: bool = False
    """Run on a worker that has nothing else in flight, so that a death has one suspect."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An exception inside a worker, as plain text that travels between any two processes."""

    error: str
    message: str
    traceback: str = ""
    fatal: bool = False
    """No other unit can fare better (disk full, model refused): stop the job."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Work, Found]):
    """The task ran to its end; a trial has no receipt."""

    task: Task[Work]
    receipt: Receipt[Found] | None


@dataclass(frozen=True, slots=True)
class Failed(Generic[Work]):
    """The task raised; the worker lives."""

    task: Task[Work]
    problem: Problem


@dataclass(frozen=True, slots=True)
class Died(Generic[Work]):
    """The worker process was gone before the task ended."""

    task: Task[Work]
    reason: str
    by_cluster: bool = False
    """The cluster took the worker away (preemption, lost node): whatever ran on it had no part in that."""


@dataclass(frozen=True, slots=True)
class Broken:
    """No worker can be had at all."""

    problem: Problem


Event: TypeAlias = Done[Work, Found] | Failed[Work] | Died[Work] | Broken


class Worker(Protocol[Work, Found]):
    """Computes tasks; lives in the driver's process or in a Ray actor."""

    def load(self) -> None:
        """Do the slow part of the construction (load a model); called once, before any task."""

    def run(self, task: Task[Work]) -> Receipt[Found] | None:
        """Compute and commit one unit (or try a trial). Called from several threads at once."""

    def stop(self) -> None:
        """Make running tasks end early with `Stopped`; nothing half-written stays."""


WorkerFactory: TypeAlias = Callable[[], Worker[Work, Found]]


class Stopped(Exception):
    """A worker gave up a task because it was told to stop."""


class Pool(Protocol[Work, Found]):
    """Workers behind one face; the driver never learns where they run."""

    def room(self) -> int:
        """How many more ordinary tasks may be submitted now (back-pressure)."""

    def submit(self, task: Task[Work]) -> None:
        """Hand over a task; a task that must run alone waits for an idle worker."""

    def wait(self, timeout_seconds: float) -> Sequence[Event[Work, Found]]:
        """Return what happened, after at most the timeout."""

    def workers(self) -> int:
        """Workers that are ready now."""

    def close(self, *, grace_seconds: float = 5.0) -> None:
        """Stop every worker; return when no process of the pool is left."""
