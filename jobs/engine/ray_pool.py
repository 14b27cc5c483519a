"""A pool of Ray actors that grows when nodes join and replaces actors that die.

Actors never restart by themselves: a replacement made here knows which units were lost and may be placed
on any node, so a crash, a lost node and a new node are all the same case.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from jobs.engine.inline_pool import IN_FLIGHT, describe, run_caught
from jobs.engine.metrics import WorkerMetrics
from jobs.engine.tasks import Broken, Died, Event, Failed, Found, Problem, Task, Work, Worker, WorkerFactory
from jobs.progress.logs import Logging, logging_now

_EXIT = re.compile(r"Worker exit type: (?P<type>\w+)(?:\s+Worker exit detail: (?P<detail>[^.\n]*))?")
_NODE_DIED = "node has died"
_OUT_OF_MEMORY = ("NODE_OUT_OF_MEMORY", "running low on memory")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a worker is gone."""

    reason: str
    """For people: "its node was lost", "Ray ended it because its node ran out of memory" …"""
    by_cluster: bool
    """Whether the cluster took the worker away, so that no task had a part in it."""


def cause_of(error: Exception, *, node_is_alive: bool = True) -> Cause:
    """What Ray's error for a task of a dead actor says.

    Args:
        error: any of Ray's errors that stand for a death, not for an exception of our own code.
        node_is_alive: whether the actor's node is still in the cluster; a lost node is noticed by its
            connections before Ray has declared it dead.
    """
    from ray.exceptions import ActorUnavailableError, NodeDiedError, OutOfMemoryError

    text = str(error)
    if getattr(error, "preempted", False):
        return Cause("its node was preempted", by_cluster=True)
    if isinstance(error, NodeDiedError) or _NODE_DIED in text or not node_is_alive:
        return Cause("its node was lost", by_cluster=True)
    if isinstance(error, ActorUnavailableError):
        return Cause("its node could not be reached", by_cluster=True)
    if isinstance(error, OutOfMemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
        return Cause("Ray ended it because its node ran out of memory", by_cluster=False)
    return Cause(_exit_of(text) or f"{type(error).__name__}: {text.partition(chr(10))[0]}", by_cluster=False)


def alive_nodes() -> set[str]:
    """Ids of the nodes that are in the cluster now."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()
    return {node["NodeID"] for node in nodes if node["Alive"]}


def _exit_of(text: str) -> str | None:
    found = _EXIT.search(text)
    if found is None:
        return None
    detail = f": {' '.join(found['detail'].split())}" if found["detail"] else ""
    return f"its process ended ({found['type']}{detail})"


LOAD_DEATHS_ALLOWED = 3
"""Actors that may die in a row while they load, before the job gives up."""
GROW_EVERY_SECONDS = 2.0
AT_ONCE_SECONDS = 0.005
"""Asking Ray what is done costs as much as all else per unit: it is asked twice where much is done."""
RAISES_ALLOWED = 2
"""Tasks in a row that may raise on one actor before it is replaced: its device may be sick, not the tasks."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What Ray reserves for one actor."""

    cpus: float = 1.0
    gpus: float = 0.0


class UnitActor(Generic[Work, Found]):
    """Holds one worker; several tasks overlap in it on Ray's threads."""

    def __init__(self, factory: WorkerFactory[Work, Found], log: Logging) -> None:
        log.begin()
        self._factory = factory
        self._worker: Worker[Work, Found] | None = None
        self._metrics = WorkerMetrics()

    def load(self) -> Problem | str:
        """Load the worker; returns the id of the node it is on, or why it cannot be loaded."""
        import ray

        try:
            self._worker = self._factory()
            self._worker.load()
        except Exception as error:  # noqa: BLE001 (the driver decides what it means)
            return describe(error)
        return str(ray.get_runtime_context().get_node_id())

    def run(self, task: Task[Work]) -> Event[Work, Found]:
        assert self._worker is not None
        event = run_caught(self._worker, task)
        self._metrics.add(event)
        return event

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()


@dataclass(slots=True, eq=False)
class _Member(Generic[Work]):
    """One actor as the driver sees it."""

    actor: Any
    loading: Any
    """Reference of its load call, or None once it is ready."""
    tasks: dict[Any, Task[Work]] = field(default_factory=dict)
    reserved: bool = False
    """Running, or waiting to run, a task that must be alone."""
    raised: int = 0
    """Tasks in a row that raised here."""
    node_id: str | None = None
    """Where it runs, once it is ready."""


class RayPool(Generic[Work, Found]):
    """Actors over however many nodes there are, each with a bounded number of units in flight."""

    def __init__(
        self,
        factory: WorkerFactory[Work, Found],
        *,
        resources: Resources,
        wanted: Callable[[], int],
        units: int,
    ) -> None:
        """Start filling the pool.

        `wanted` says how many actors the machines can hold now; it is asked again as time passes.
        """
        import ray

        self._ray = ray
        self._factory = ray.put(factory)
        self._log = logging_now()
        self._remote: Any = ray.remote(UnitActor).options(
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=IN_FLIGHT + 1,
        )
        self._wanted = wanted
        self._most = max(1, units)
        self._members: list[_Member[Work]] = []
        self._alone: list[Task[Work]] = []
        self._load_deaths = 0
        self._grown_at = 0.0
        self._grow()

    # -- the pool's face

    def room(self) -> int:
        ready = [m for m in self._members if m.loading is None and not m.reserved]
        return sum(IN_FLIGHT - len(m.tasks) for m in ready) - len(self._alone)

    def workers(self) -> int:
        return sum(m.loading is None for m in self._members)

    def submit(self, task: Task[Work]) -> None:
        if task.alone:
            self._alone.append(task)
        else:
            free = [m for m in self._members if m.loading is None and not m.reserved]
            self._send(min(free, key=lambda m: len(m.tasks)), task)

    def wait(self, timeout_seconds: float) -> Sequence[Event[Work, Found]]:
        self._grow()
        self._place_alone()
        owners = {ref: m for m in self._members for ref in self._references(m)}
        if not owners:
            time.sleep(min(timeout_seconds, 0.1))
            return ()
        references, began = list(owners), time.monotonic()
        done, _ = self._ray.wait(references, num_returns=1, timeout=timeout_seconds, fetch_local=False)
        if done and time.monotonic() - began < AT_ONCE_SECONDS:  # it waited for nobody: there may be more
            done, _ = self._ray.wait(references, num_returns=len(references), timeout=0, fetch_local=False)
        events: list[Event[Work, Found]] = []
        for reference in done:
            if owners[reference] in self._members:
                events += self._collect(owners[reference], reference)
        return events

    def close(self, *, grace_seconds: float = 5.0) -> None:
        for member in self._members:
            member.actor.stop.remote()
        running = [ref for m in self._members for ref in m.tasks]
        if running:
            self._ray.wait(running, num_returns=len(running), timeout=grace_seconds, fetch_local=False)
        for member in self._members:
            self._ray.kill(member.actor)
        self._members.clear()

    # -- members

    def _grow(self) -> None:
        if time.monotonic() - self._grown_at < GROW_EVERY_SECONDS and self._members:
            return
        self._grown_at = time.monotonic()
        while len(self._members) < min(self._most, max(1, self._wanted())):
            actor = self._remote.remote(self._factory, self._log)
            self._members.append(_Member(actor, loading=actor.load.remote()))

    @staticmethod
    def _references(member: _Member[Work]) -> list[Any]:
        return [*member.tasks, *([member.loading] if member.loading is not None else [])]

    def _send(self, member: _Member[Work], task: Task[Work]) -> None:
        member.tasks[member.actor.run.remote(task)] = task

    def _place_alone(self) -> None:
        """Give each lonely task an idle worker; until there is one, stop feeding the least busy."""
        ready = [m for m in self._members if m.loading is None]
        held = [m for m in ready if m.reserved and not m.tasks]
        while self._alone and ready:
            idle = held or [m for m in ready if not m.tasks and not m.reserved]
            if not idle:
                break
            idle[0].reserved = True
            self._send(idle[0], self._alone.pop(0))
            held = [m for m in held if m is not idle[0]]
        if self._alone and ready and not any(m.reserved for m in ready):
            min(ready, key=lambda m: len(m.tasks)).reserved = True

    def _collect(self, member: _Member[Work], reference: Any) -> list[Event[Work, Found]]:
        try:
            result = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return self._bury(member, error)
        if reference is member.loading:
            return self._loaded(member, result)
        task = member.tasks.pop(reference)
        if task.alone:
            member.reserved = False
        member.raised = member.raised + 1 if isinstance(result, Failed) else 0
        if member.raised >= RAISES_ALLOWED:
            return [result, *self._retire(member)]
        return [result]

    def _retire(self, member: _Member[Work]) -> list[Event[Work, Found]]:
        """Replace an actor that keeps raising; what else it holds is sent again."""
        self._members.remove(member)
        self._ray.kill(member.actor)
        reason = "its worker kept raising and was replaced"
        return [Died(task, reason, by_cluster=True) for task in member.tasks.values()]

    def _loaded(self, member: _Member[Work], result: Problem | str) -> list[Event[Work, Found]]:
        if isinstance(result, Problem):
            return [Broken(result)]
        member.loading, member.node_id = None, result
        self._load_deaths = 0
        return []

    def _bury(self, member: _Member[Work], error: Exception) -> list[Event[Work, Found]]:
        """Forget a dead actor; every task that it held is lost."""
        self._members.remove(member)
        self._ray.kill(member.actor)
        if isinstance(error, self._ray.exceptions.RayTaskError):
            return [Failed(task, describe(error)) for task in member.tasks.values()]
        cause = cause_of(error, node_is_alive=member.node_id is None or member.node_id in alive_nodes())
        if member.loading is not None and not cause.by_cluster:
            self._load_deaths += 1
            if self._load_deaths >= LOAD_DEATHS_ALLOWED:
                return [
                    Broken(Problem("WorkerDied", f"workers die while they load the model ({cause.reason})"))
                ]
        return [Died(task, cause.reason, by_cluster=cause.by_cluster) for task in member.tasks.values()]
