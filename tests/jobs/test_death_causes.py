"""What Ray's own errors say of a dead worker, in words."""

import pytest
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
)

from jobs.engine.ray_pool import Cause, cause_of

KILLED = (
    "The actor died unexpectedly before finishing this task.\n\tclass_name: UnitActor\n"
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR "
    "Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of file. "
    "There are some potential root causes. (1) The process is killed by SIGKILL by OOM killer due to high "
    "memory usage."
)
NODE = "The actor died because its node has died. Node Id: 1f. the actor's node was terminated unexpectedly."


def actor_error(message: str, *, preempted: bool = False) -> RayActorError:
    return RayActorError(error_msg=message, preempted=preempted)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (actor_error("gone", preempted=True), Cause("its node was preempted", by_cluster=True)),
        (actor_error(NODE), Cause("its node was lost", by_cluster=True)),
        (NodeDiedError("gone"), Cause("its node was lost", by_cluster=True)),
        (ActorUnavailableError("timeout", None), Cause("its node could not be reached", by_cluster=True)),
        (OutOfMemoryError("x"), Cause("Ray ended it because its node ran out of memory", by_cluster=False)),
        (
            actor_error("Worker exit type: NODE_OUT_OF_MEMORY Worker exit detail: Task was killed."),
            Cause("Ray ended it because its node ran out of memory", by_cluster=False),
        ),
        (
            actor_error(KILLED),
            Cause(
                "its process ended (SYSTEM_ERROR: Worker unexpectedly exits with a connection error code 2)",
                by_cluster=False,
            ),
        ),
    ],
)
def test_the_cause_of_a_death_is_told(error: Exception, cause: Cause) -> None:
    assert cause_of(error) == cause


def test_a_process_that_ended_with_its_node_was_lost_with_it() -> None:
    assert cause_of(actor_error(KILLED), node_is_alive=False) == Cause("its node was lost", by_cluster=True)


def test_an_error_without_details_is_named() -> None:
    assert cause_of(ActorDiedError()).reason.startswith("ActorDiedError: The actor died unexpectedly")
