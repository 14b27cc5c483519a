"""Nodes of a Ray cluster go away while a run is computed: nothing is lost, and no clip fails for it."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest

from jobs.engine.dispatch import Committed, GivenUp, Lost, Outcome, Quarantined
from jobs.progress import logs
from store import open_store
from store.arrays.verification import verify
from tests.jobs import cluster_driver
from tests.jobs.cluster_driver import RUN, Keeper, drive, numbers_of, plan

pytestmark = pytest.mark.slow
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80_000_000}
RECONNECT_SECONDS = 12


@pytest.fixture
def new_cluster() -> Iterator[Callable[[], Any]]:
    """Makes clusters of a head that computes nothing and two nodes of one core."""
    import ray
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(cluster_driver)
    made: list[Any] = []

    def make() -> Any:
        head = {**NODE, "num_cpus": 0, "include_dashboard": False}
        made.append(Cluster(initialize_head=True, head_node_args=head))
        for _ in range(2):
            made[-1].add_node(**NODE)
        return made[-1]

    yield make
    ray.shutdown()
    for cluster in made:
        cluster.shutdown()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a run of 40 units that are still to be computed."""
    plan(str(tmp_path / "s"), units=40)
    return str(tmp_path / "s")


def check_whole(url: str) -> None:
    """Every clip is there, is no failure, and holds its own numbers."""
    run = open_store(url).run(RUN)
    assert not len(run.missing())
    assert {status.state for status in run.statuses().values()} == {"ok"}
    clips = [clip for unit in run.units() for clip in unit.clips]
    stored = run.read_clips("resid.mean", [clip.clip_id for clip in clips])
    np.testing.assert_array_equal(stored, np.array([numbers_of(clip) for clip in clips], np.float32))
    assert verify(run) == []


def test_a_node_that_is_lost_and_one_that_is_preempted_cost_no_clip(
    new_cluster: Callable[[], Any], url: str
) -> None:
    cluster = new_cluster()
    outcomes: list[Outcome[Any, Any]] = []
    first, second = cluster.worker_nodes
    for outcome in drive(url, cluster.address, 0.2):
        outcomes.append(outcome)
        done = sum(isinstance(one, Committed) for one in outcomes)
        if done == 4 and first is not None:
            cluster.add_node(**NODE, wait=False)
            cluster.remove_node(first, allow_graceful=False)
            first = None
        if done == 12 and second is not None:
            cluster.add_node(**NODE, wait=False)
            preempt(cluster, second)
            second = None
    check_whole(url)
    kinds = Counter(type(one) for one in outcomes)
    assert (kinds[Quarantined], kinds[GivenUp]) == (0, 0)
    assert kinds[Committed] == 40
    reasons = {one.reason for one in outcomes if isinstance(one, Lost)}
    assert reasons <= {"its node was lost", "its node could not be reached", "its node was preempted"}
    assert reasons


def test_a_slow_node_and_a_full_object_store_do_not_hold_up_a_run(
    new_cluster: Callable[[], Any], tmp_path: Path
) -> None:
    import ray

    cluster, url = new_cluster(), str(tmp_path / "s")
    plan(url, units=12)
    slow = {next(iter(cluster.worker_nodes)).node_id: 300.0}
    ray.init(address=cluster.address, log_to_driver=False)
    keepers: list[Any] = [
        ray.remote(num_cpus=0)(Keeper).options(lifetime="detached", name=str(number)).remote()
        for number in range(2)
    ]
    assert ray.get([keeper.fill.remote() for keeper in keepers]) == [15, 15]
    ray.shutdown()  # who keeps the objects lives on
    started = time.monotonic()
    outcomes = list(drive(url, cluster.address, 0.05, slow=slow, patience_seconds=0.5))
    assert time.monotonic() - started < 100
    assert Counter(type(one) for one in outcomes)[Committed] == 12
    check_whole(url)


def preempt(cluster: Any, node: Any) -> None:
    """Tell Ray as a provider does that a node goes in a moment, and take it away."""
    raylet: Any = import_module("ray._raylet")
    messages: Any = import_module("ray.core.generated.autoscaler_pb2")
    reason = messages.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    deadline = round((time.time() + 1.0) * 1000)
    accepted, why = raylet.GcsClient(address=cluster.address).drain_node(
        node.node_id, reason, "spot", deadline
    )
    assert accepted, why
    threading.Timer(1.0, cluster.remove_node, [node], {"allow_graceful": False}).start()


def test_after_the_head_is_lost_the_same_command_goes_on_where_it_stopped(
    new_cluster: Callable[[], Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", str(RECONNECT_SECONDS))
    cluster = new_cluster()
    with driver_of(url, cluster.address, seconds=2.0) as driver:
        seen = (json.loads(line) for line in driver.stdout or ())
        done = sum(1 for _ in islice((one for one in seen if one == "Committed"), 4))
        assert done == 4, driver.communicate(timeout=40)
        cluster.head_node.kill_gcs_server()
        _, said = driver.communicate(timeout=40)
    cluster.shutdown()
    assert driver.returncode != 0, said
    before = open_store(url).run(RUN).markers()
    assert 4 <= len(before) < 40, said
    with driver_of(url, new_cluster().address, seconds=0.0) as again:
        out, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert out.split().count('"Committed"') == 40 - len(before), "nothing is computed twice"
    check_whole(url)


@contextmanager
def driver_of(url: str, address: str, *, seconds: float) -> "Iterator[subprocess.Popen[str]]":
    """A driver in a process of its own, which is gone after the block."""
    command = [sys.executable, cluster_driver.__file__, url, address, str(seconds)]
    root, pipe = Path(__file__).parents[2], subprocess.PIPE
    with subprocess.Popen(command, text=True, cwd=root, stdout=pipe, stderr=pipe) as driver:
        try:
            yield driver
        finally:
            driver.kill()


def test_driver_and_workers_are_on_rays_metrics_endpoint_and_their_logs_name_run_and_unit(
    new_cluster: Callable[[], Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    cluster = new_cluster()
    monkeypatch.setattr("jobs.engine.ray_pool.logging_now", lambda: logs.Logging(json=True, run=RUN))
    monkeypatch.setattr("jobs.engine.metrics.EVERY_SECONDS", 0.0)
    samples: dict[str, float] = {}
    for outcome in drive(url, cluster.address, 0.1):
        ended = isinstance(outcome, Committed) and len(open_store(url).run(RUN).markers()) == 40
        deadline = time.monotonic() + 20
        while ended and not are_told(samples) and time.monotonic() < deadline:
            samples = scraped(ray.nodes())
            time.sleep(0.5)
    assert are_told(samples), samples
    assert 4.0 <= samples["ray_undertone_worker_stage_seconds_total"] < 40.0, (
        "0.1 s of each unit, and writing"
    )
    assert (samples["ray_undertone_items_total"], samples["ray_undertone_items_waiting"]) == (160, 0)
    folder = Path(cluster.head_node.get_session_dir_path()) / "logs"
    files = [*folder.glob("worker-*.err"), *folder.glob("worker-*.out")]
    lines = [line for file in files for line in file.read_text().splitlines() if not line.startswith(":")]
    told = [json.loads(line) for line in lines]
    assert Counter(line["unit"] for line in told if line["message"] == "unit committed") == Counter(
        f"unit-{number:06d}" for number in range(40)
    )
    assert {line.get("run") for line in told} == {RUN}


def are_told(samples: dict[str, float]) -> bool:
    """Whether driver and workers have told all, each in a process of its own."""
    wanted = {"ray_undertone_items_total": 160, "ray_undertone_worker_units_total": 40}
    return {name: samples.get(name) for name in wanted} == wanted


def scraped(nodes: list[dict[str, Any]]) -> dict[str, float]:
    """Sums of all samples of ours on all nodes, by name."""
    from prometheus_client.parser import text_string_to_metric_families

    found: defaultdict[str, float] = defaultdict(float)
    for node in nodes:
        with urlopen(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics") as answer:
            families = text_string_to_metric_families(answer.read().decode())
        for sample in (sample for family in families for sample in family.samples):
            found[sample.name] += sample.value if "undertone" in sample.name else 0
    return dict(found)
