"""Real Ray actors on three in-process nodes with declared GPUs, around a worker that costs a fixed time."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs.engine.dispatch import Committed, Dispatcher, Lost, Outcome, Quarantined
from jobs.engine.placement import worker_resources
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import actors_that_fit
from jobs.engine.tasks import Task
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from pipelines.models.named import describe_model
from store.errors import InvalidInput, JobFailed
from store.records import PlannedClip, Receipt, Unit

pytestmark = pytest.mark.slow

HURRY = "hurry"
"""Once a file of this name is in a worker's folder, units cost nothing: the test has seen what it wanted."""


class FixedCostWorker:
    """Sleeps for a unit, notes on disk where it ran, and dies of poisonous clips."""

    def __init__(self, folder: Path, *, seconds: float, poison: str = "") -> None:
        self.folder, self.seconds, self.poison = folder, seconds, poison

    def load(self) -> None:
        import ray

        self.node = ray.get_runtime_context().get_node_id()
        (self.folder / f"pid-{os.getpid()}").touch()

    def run(self, task: Task[Unit]) -> Receipt[None] | None:
        touched = (task.trial or {clip.clip_id for clip in task.unit.clips}) - task.quarantined
        if self.poison in touched:
            os._exit(9)
        if not (self.folder / HURRY).exists():
            time.sleep(self.seconds)
        if task.trial is None:
            (self.folder / f"{task.unit.unit_id}.{time.time_ns()}").write_text(self.node)
            return Receipt(task.unit.unit_id, len(task.unit.clips), len(task.quarantined), 0, True)
        return None

    def stop(self) -> None:
        """Nothing to stop."""


class Broken(FixedCostWorker):
    def load(self) -> None:
        raise ValueError("no weights in this folder")


class Sick(FixedCostWorker):
    """Raises on every task, fast, but only in the first process that holds it."""

    def load(self) -> None:
        super().load()
        self.sick = not (self.folder / "sick").exists()
        (self.folder / "sick").touch()

    def run(self, task: Task[Unit]) -> Receipt[None] | None:
        if self.sick:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return super().run(task)


def units(count: int) -> list[Unit]:
    return [
        Unit(f"unit-{u:06d}", u * 4, tuple(PlannedClip(f"{u}-{c}", "a.wav", 0.0, 1.0) for c in range(4)))
        for u in range(count)
    ]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    import sys

    import ray
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    node: dict[str, Any] = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def pool_of(worker: Any, *, count: int, **options: Any) -> RayPool[Unit, None]:
    resources = Resources(cpus=0.0, gpus=1.0)
    return RayPool(
        partial(worker, **options),
        resources=resources,
        wanted=lambda: actors_that_fit(cpus=resources.cpus, gpus=resources.gpus),
        units=count,
    )


def nodes_used(folder: Path) -> Counter[str]:
    return Counter(path.read_text() for path in folder.glob("unit-*"))


def committed(outcomes: list[Outcome[None, Unit]]) -> Counter[str]:
    return Counter(o.receipt.unit_id for o in outcomes if isinstance(o, Committed))


def test_every_gpu_of_every_node_gets_work(cluster: Any, tmp_path: Path) -> None:
    pool = pool_of(FixedCostWorker, count=24, folder=tmp_path, seconds=0.3)
    outcomes = list(Dispatcher(pool, units(24)).run())
    pool.close()
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(24))
    assert len(nodes_used(tmp_path)) == 3


def test_a_poisonous_clip_is_quarantined_while_all_others_are_stored(cluster: Any, tmp_path: Path) -> None:
    pool = pool_of(FixedCostWorker, count=6, folder=tmp_path, seconds=0.05, poison="2-1")
    outcomes = list(Dispatcher(pool, units(6)).run())
    pool.close()
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(6))
    assert [o.item_ids for o in outcomes if isinstance(o, Quarantined)] == [{"2-1"}]


def test_killed_workers_cost_no_healthy_clip_and_the_poisonous_one_is_still_found(
    cluster: Any, tmp_path: Path
) -> None:
    pool = pool_of(FixedCostWorker, count=30, folder=tmp_path, seconds=0.1, poison="7-2")
    ended = threading.Event()
    killer = threading.Thread(target=kill_workers, args=(tmp_path, ended))
    killer.start()
    outcomes = list(Dispatcher(pool, units(30)).run())
    ended.set()
    killer.join()
    pool.close()
    assert [o.item_ids for o in outcomes if isinstance(o, Quarantined)] == [{"7-2"}]
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(30))
    reasons = {o.reason for o in outcomes if isinstance(o, Lost)}
    assert any("process ended" in reason for reason in reasons), reasons


def kill_workers(folder: Path, ended: threading.Event) -> None:
    """Kill a random worker now and then, as a machine that runs out of memory does."""
    chance = random.Random(5)
    for _ in range(6):
        if ended.wait(chance.uniform(0.2, 1.0)):
            return
        alive = sorted(folder.glob("pid-*"))
        if alive:
            victim = chance.choice(alive)
            victim.unlink()
            with suppress(ProcessLookupError):
                os.kill(int(victim.name.removeprefix("pid-")), signal.SIGKILL)


def test_a_worker_that_cannot_load_its_model_ends_the_job_with_the_reason(
    cluster: Any, tmp_path: Path
) -> None:
    pool = pool_of(Broken, count=2, folder=tmp_path, seconds=0.0)
    with pytest.raises(JobFailed, match="no weights in this folder"):
        list(Dispatcher(pool, units(2)).run())
    pool.close()


def test_an_actor_that_raises_on_everything_is_replaced_before_it_drains_the_queue(
    cluster: Any, tmp_path: Path
) -> None:
    pool = pool_of(Sick, count=30, folder=tmp_path, seconds=0.1)
    outcomes = list(Dispatcher(pool, units(30)).run())
    pool.close()
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(30))


def test_a_worker_takes_a_gpu_and_every_declared_gpu_gets_one(cluster: Any, store: str) -> None:
    options = ExtractOptions(store, "tones", address="auto", model="pocket-random")
    resources, wanted = worker_resources(options, describe_model("pocket-random"))
    assert (resources.gpus, resources.cpus, wanted()) == (1.0, 0.0, 3)
    halves, wanted = worker_resources(replace(options, gpus_per_worker=0.5), describe_model("pocket-random"))
    assert (halves.gpus, wanted()) == (0.5, 6)
    cpus, _ = worker_resources(replace(options, device="cpu"), describe_model("pocket-random"))
    assert (cpus.gpus, cpus.cpus) == (0.0, 1.0)


def test_a_folder_of_this_machine_is_refused_on_several_nodes(
    cluster: Any, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The three nodes of this cluster share an address; three machines would not.
    monkeypatch.setattr("jobs.engine.ray_session.node_hosts", lambda: {"10.0.0.1", "10.0.0.2"})
    options = ExtractOptions(store, "tones", address="auto", model="pocket-random")
    with pytest.raises(InvalidInput, match="--shared-filesystem"):
        run_extraction(options)
    monkeypatch.setattr("jobs.engine.placement.RayPool", Reached)
    with pytest.raises(ZeroDivisionError):
        run_extraction(replace(options, shared_filesystem=True))


class Reached:
    """Stands for the pool, to see that it is reached."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise ZeroDivisionError


def test_a_lost_node_costs_its_units_in_flight_and_an_added_node_is_used(
    cluster: Any, tmp_path: Path
) -> None:
    import ray

    victim = next(node for node in cluster.worker_nodes)
    pool = pool_of(FixedCostWorker, count=400, folder=tmp_path, seconds=0.5)
    outcomes: list[Outcome[None, Unit]] = []
    killer = threading.Thread(target=cluster.remove_node, args=(victim,), kwargs={"allow_graceful": False})
    added: set[str] = set()
    for outcome in Dispatcher(pool, units(400)).run():
        outcomes.append(outcome)
        if len(committed(outcomes)) == 6 and killer.ident is None:
            killer.start()
            new = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=80_000_000)
            added.add(new.node_id)
        if added and added <= set(nodes_used(tmp_path)):
            (tmp_path / HURRY).touch()
    killer.join()
    pool.close()
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(400))
    lost = [o.reason for o in outcomes if isinstance(o, Lost)]
    assert 1 <= len(lost) <= 2
    assert set(lost) <= {"its node was lost", "its node could not be reached"}
    assert added <= set(nodes_used(tmp_path)), "the node that joined did no work"
    assert len(ray.nodes()) == 4
