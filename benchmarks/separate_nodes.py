"""Two nodes of Ray with addresses of their own, and what a cut cable between them costs.

python -m benchmarks.separate_nodes [--units N] [--unit-seconds S]

For Linux and its administrator: each node lives in a network namespace, the two are connected by a pair of
virtual cards. When a third of the units is committed the cable of the second node is cut. Printed are the
addresses that units were computed at, what the driver saw, and whether every unit was committed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.dispatch import FixedCostWorker, units
from jobs.engine.dispatch import Committed, Dispatcher
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import ray_session
from jobs.engine.tasks import Task
from store.records import Receipt, Unit

SPACES = ("undertone-a", "undertone-b")
CARDS = ("undertone0", "undertone1")
ADDRESSES = ("10.219.7.1", "10.219.7.2")
PORT = 6399
CPUS = 2
HEALTH = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",  # nobody else reaches these namespaces
}
"""A lost node is noticed within seconds, and nodes listen at their own addresses."""


@dataclass
class PlacedWorker(FixedCostWorker):
    """Writes down at which address it computed each unit."""

    folder: Path
    seconds: float
    until: float = field(default=0.0)

    def load(self) -> None:
        """Nothing to load."""

    def run(self, task: Task[Unit]) -> Receipt[None] | None:
        """Take a while."""
        import ray

        receipt = super().run(task)
        (self.folder / task.unit.unit_id).write_text(ray.util.get_node_ip_address())
        return receipt


def main() -> None:
    """Start the nodes, then the driver on the first of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=48)
    parser.add_argument("--unit-seconds", type=float, default=0.5)
    parser.add_argument("--driver", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.driver:
        drive(options.units, options.unit_seconds)
        return
    with namespaces(), TemporaryDirectory(prefix="ray") as folder:
        head = ["--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={folder}"]
        with node(0, head), node(1, [f"--address={ADDRESSES[0]}:{PORT}"]):
            arguments = [
                "--driver",
                "--units",
                str(options.units),
                "--unit-seconds",
                str(options.unit_seconds),
            ]
            command = [sys.executable, "-m", "benchmarks.separate_nodes", *arguments]
            subprocess.run(inside(0, command), check=True, env={**os.environ, **HEALTH})


def drive(count: int, seconds: float) -> None:
    """Compute units on both nodes, and cut the cable on the way."""
    with ray_session(f"{ADDRESSES[0]}:{PORT}"), TemporaryDirectory() as folder:
        pool: RayPool[Unit, None] = RayPool(
            partial(PlacedWorker, Path(folder), seconds),
            resources=Resources(cpus=1.0),
            wanted=lambda: 2 * CPUS,
            units=count,
        )
        while pool.workers() < 2 * CPUS:
            pool.wait(0.1)
        outcomes: Counter[str] = Counter()
        committed: set[str] = set()
        started = time.monotonic()
        for outcome in Dispatcher(pool, units(count)).run():
            outcomes[type(outcome).__name__] += 1
            if isinstance(outcome, Committed):
                committed.add(outcome.receipt.unit_id)
                if len(committed) == count // 3:
                    ip("-n", SPACES[1], "link", "set", CARDS[1], "down")
                    print(f"cable cut after {time.monotonic() - started:.1f} s", flush=True)
            elif type(outcome).__name__ == "Lost":
                print(f"{time.monotonic() - started:.1f} s: {outcome}"[:160], flush=True)
        places = Counter(path.read_text() for path in Path(folder).iterdir())
        print(f"{len(committed)} of {count} units in {time.monotonic() - started:.1f} s, at {dict(places)}")
        print(dict(outcomes))
        pool.close()


@contextmanager
def namespaces() -> Iterator[None]:
    """Two, with a cable between them."""
    try:
        ip("link", "add", CARDS[0], "type", "veth", "peer", "name", CARDS[1])
        for space, card, address in zip(SPACES, CARDS, ADDRESSES, strict=True):
            ip("netns", "add", space)
            ip("link", "set", card, "netns", space)
            ip("-n", space, "addr", "add", f"{address}/24", "dev", card)
            ip("-n", space, "link", "set", card, "up")
            ip("-n", space, "link", "set", "lo", "up")
        yield
    finally:
        for space in SPACES:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


@contextmanager
def node(number: int, arguments: Sequence[str]) -> Iterator[None]:
    """A node of Ray in its namespace, which ends with the block."""
    ray = str(Path(sys.executable).with_name("ray"))
    common = [f"--node-ip-address={ADDRESSES[number]}", f"--num-cpus={CPUS}", "--block"]
    memory = "--object-store-memory=80000000"
    command = inside(number, [ray, "start", *common, memory, *arguments])
    process = subprocess.Popen(command, env={**os.environ, **HEALTH}, stdout=subprocess.DEVNULL)
    try:
        time.sleep(8)
        yield
    finally:
        process.terminate()
        process.wait(60)  # a node without its cable waits half a minute for an answer to its farewell


def inside(number: int, command: Sequence[str]) -> list[str]:
    """The command in a namespace."""
    return ["ip", "netns", "exec", SPACES[number], *command]


def ip(*arguments: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    main()
