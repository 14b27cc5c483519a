"""Messages between a driver and its workers: tasks one way, events the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from store.records import Receipt, Unit


@dataclass(frozen=True, slots=True)
class Task:
    """One unit to compute, or a trial of some of its clips that writes nothing."""

    unit: Unit
    quarantined: frozenset[str] = frozenset()
    """Clip ids that killed a worker: recorded as failed, never computed."""
    trial: frozenset[str] | None = None
    """If given, compute just these clips and discard the result: does the worker survive?"""
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
class Done:
    """The task ran to its end; a trial has no receipt."""

    task: Task
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised; the worker lives."""

    task: Task
    problem: Problem


@dataclass(frozen=True, slots=True)
class Died:
    """The worker process was gone before the task ended."""

    task: Task
    reason: str
    by_cluster: bool = False
    """The cluster took the worker away (preemption, lost node): whatever ran on it had no part in that."""


@dataclass(frozen=True, slots=True)
class Broken:
    """No worker can be had at all."""

    problem: Problem


Event = Done | Failed | Died | Broken


class Worker(Protocol):
    """Computes tasks; lives in the driver's process or in a Ray actor."""

    def load(self) -> None:
        """Do the slow part of the construction (load a model); called once, before any task."""

    def run(self, task: Task) -> Receipt | None:
        """Compute and commit one unit (or try a trial). Called from several threads at once."""

    def stop(self) -> None:
        """Make running tasks end early with `Stopped`; nothing half-written stays."""


WorkerFactory = Callable[[], Worker]


class Stopped(Exception):
    """A worker gave up a task because it was told to stop."""


class Pool(Protocol):
    """Workers behind one face; the driver never learns where they run."""

    def room(self) -> int:
        """How many more ordinary tasks may be submitted now (back-pressure)."""

    def submit(self, task: Task) -> None:
        """Hand over a task; a task that must run alone waits for an idle worker."""

    def wait(self, timeout_seconds: float) -> Sequence[Event]:
        """Return what happened, after at most the timeout."""

    def workers(self) -> int:
        """Workers that are ready now."""

    def close(self, *, grace_seconds: float = 5.0) -> None:
        """Stop every worker; return when no process of the pool is left."""
