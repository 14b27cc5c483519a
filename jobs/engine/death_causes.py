"""Say why Ray lost a worker, and whether the task it ran can be to blame."""

import re
from dataclasses import dataclass
from typing import Any

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
