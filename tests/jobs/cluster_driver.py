"""A driver of a small run on a Ray cluster, whose workers write real units without a model.

python tests/jobs/cluster_driver.py STORE ADDRESS SECONDS_PER_UNIT
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from jobs.engine.dispatch import Dispatcher, Outcome
from jobs.engine.progress import counted
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import actors_that_fit, ray_session
from jobs.engine.tally import Tally
from jobs.engine.tasks import Task
from jobs.progress.logs import about_run
from store import open_store
from store.records import ArraySpec, ClipStatus, PlannedClip, Receipt, Unit

RUN, UNIT_CLIPS, WIDTH = "toy", 4, 3


def plan(url: str, units: int) -> None:
    """Plan a run of so many units in a new store."""
    clips = [PlannedClip(f"{n:016x}", f"{n}.wav", 0.0, 1.0) for n in range(units * UNIT_CLIPS)]
    array = ArraySpec("resid.mean", ("feature",), (WIDTH,), "float32")
    document = {"dataset": {"name": "songs"}, "model": {"name": "toy"}}
    open_store(url, create=True).create_run(
        RUN, document=document, arrays=[array], clips=clips, unit_clips=UNIT_CLIPS
    )


def numbers_of(clip: PlannedClip) -> list[float]:
    """What is stored of a clip."""
    return [float(int(clip.clip_id, 16) + place / 8) for place in range(WIDTH)]


class StoreWorker:
    """Commits units to the run, each after a while, and says on which node. Some nodes may be slower."""

    def __init__(self, url: str, seconds: float, slow: Mapping[str, float]) -> None:
        self._url, self._seconds, self._slow = url, seconds, slow

    def load(self) -> None:
        import ray

        self._node = ray.get_runtime_context().get_node_id()
        self._run = open_store(self._url).run(RUN)

    def run(self, task: Task[Unit]) -> Receipt[Any] | None:
        time.sleep(self._slow.get(self._node, self._seconds))
        if task.trial is not None:
            return None
        with self._run.begin(task.unit, provenance={"node": self._node}) as pending:
            numbers = np.array([numbers_of(clip) for clip in task.unit.clips], np.float32)
            pending.add("resid.mean", 0, numbers)
            statuses = [ClipStatus(clip.clip_id, "ok") for clip in task.unit.clips]
            return pending.commit(statuses, {"forward": self._seconds})

    def stop(self) -> None:
        """Nothing to stop."""


class Keeper:
    """Fills the object store of its node, of 80 MB, and keeps what is there."""

    def fill(self) -> int:
        import ray

        self._kept = [ray.put(np.ones(5_000_000, np.uint8)) for _ in range(15)]
        return len(self._kept)


def drive(
    url: str,
    address: str,
    seconds: float,
    *,
    slow: Mapping[str, float] = MappingProxyType({}),
    patience_seconds: float | None = None,
) -> Iterator[Outcome[Any, Unit]]:
    """Commit what is missing, as an extraction does; `slow` are seconds per unit of nodes by their ids."""
    run = open_store(url).run(RUN)
    missing = run.missing()
    needs = Resources(cpus=1.0)
    with about_run(RUN), ray_session(address):
        pool: RayPool[Unit, Any] = RayPool(
            partial(StoreWorker, url, seconds, dict(slow)),
            resources=needs,
            wanted=lambda: actors_that_fit(cpus=needs.cpus, gpus=0.0),
            units=len(missing),
        )
        try:
            tally = Tally(len(missing) * UNIT_CLIPS, 0, 1.0)
            units = Dispatcher(
                pool,
                missing,
                is_committed=lambda unit: run.is_committed(unit.unit_id),
                patience_seconds=patience_seconds,
            )
            yield from counted(units.run(), pool, tally, title="toy")
        finally:
            pool.close(grace_seconds=1.0)
    run.note_complete()


if __name__ == "__main__":
    output = sys.stdout  # a session of Ray sends what is printed elsewhere
    for outcome in drive(sys.argv[1], sys.argv[2], float(sys.argv[3])):
        output.write(json.dumps(type(outcome).__name__) + "\n")
        output.flush()
