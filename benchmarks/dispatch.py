"""Cost of the driver: scaling from one to three workers of fixed cost, and its own work per unit.

python -m benchmarks.dispatch [--repetitions N]
python -m benchmarks.dispatch --actors 64 --unit-seconds 10 --units 320 [--deaths 0.1]

With --actors it simulates as many GPUs on this machine: every actor takes its time for a unit, and a share of
them is killed each minute, at random, as machines of a cloud are. Efficiency is the time that committed units
took over the time that all actors had, from when all were ready until the last unit.
"""

import argparse
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import interleaved, median_interval, ratio_line
from jobs.engine.dispatch import Committed, Dispatcher
from jobs.engine.progress import at_work_on, counted
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import ray_session
from jobs.engine.tally import Tally
from jobs.engine.tasks import Task
from store.records import PlannedClip, Receipt, Unit

UNIT_SECONDS, UNITS_PER_WORKER, WORKERS = 0.25, 24, 3
EMPTY_UNITS = 500


class FixedCostWorker:
    """A model that takes a fixed time, whatever the machine: only the scheduling can differ."""

    def __init__(self, seconds: float, folder: Path | None = None) -> None:
        self.seconds = seconds
        self.until = 0.0
        self.folder = folder
        """Where its process can be found by who kills some."""

    def load(self) -> None:
        """Nothing to load."""
        if self.folder is not None:
            (self.folder / str(os.getpid())).touch()

    def run(self, task: Task[Unit]) -> Receipt[None] | None:
        """Take the device's next free slot, as calls on a compute thread do."""
        begin = max(self.until, time.monotonic())
        self.until = begin + self.seconds
        time.sleep(max(0.0, self.until - time.monotonic()))
        return Receipt(task.unit.unit_id, len(task.unit.clips), failed=0, bytes_written=0, won=True)

    def stop(self) -> None:
        """Nothing to stop."""


def main() -> None:
    """Print efficiency and cost per unit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--actors", type=int, help="simulate so many")
    parser.add_argument("--unit-seconds", type=float, default=10.0)
    parser.add_argument("--units", type=int, default=320)
    parser.add_argument(
        "--deaths", type=float, default=0.0, help="share of the actors that is killed each minute"
    )
    options = parser.parse_args()
    if options.actors:
        simulate(options.actors, options.unit_seconds, options.units, options.deaths)
        return
    with ray_session("local", cpus=WORKERS):
        rates = interleaved(
            {str(n): partial(units_per_second, n) for n in (1, WORKERS)}, repetitions=options.repetitions
        )
        costs = [driver_milliseconds_per_unit() for _ in range(options.repetitions)]
    one, many = rates.values()
    print(ratio_line(f"efficiency of {WORKERS} workers", many, [WORKERS * rate for rate in one]))
    low, high = median_interval(costs)
    typical = sorted(costs)[len(costs) // 2]
    print(f"driver: {typical:.2f} ms of processor time per unit (95 % {low:.2f} to {high:.2f})")


def units_per_second(workers: int) -> float:
    """Rate over a fixed amount of work per worker, from the moment all workers are ready."""
    pool = pool_of(workers, UNIT_SECONDS)
    while pool.workers() < workers:
        pool.wait(0.1)
    count = workers * UNITS_PER_WORKER
    started = time.monotonic()
    finished = sum(1 for _ in Dispatcher(pool, units(count)).run())
    elapsed = time.monotonic() - started
    pool.close()
    assert finished >= count
    return count / elapsed


def driver_milliseconds_per_unit() -> float:
    """Processor time of this process per unit that costs its worker nothing, progress included."""
    pool = pool_of(1, 0.0)
    while not pool.workers():
        pool.wait(0.1)
    tally = Tally(total=EMPTY_UNITS * 64, before=0, item_seconds=30.0)
    begin = time.process_time()
    with at_work_on(tally, title="benchmark") as report:
        for _ in Dispatcher(pool, units(EMPTY_UNITS)).run():
            tally.see_workers(pool.workers())
            report.update()
    spent = time.process_time() - begin
    pool.close()
    return 1e3 * spent / EMPTY_UNITS


def simulate(actors: int, unit_seconds: float, count: int, deaths: float) -> None:
    """Print how well so many actors are used, and what the driver paid."""
    with TemporaryDirectory() as folder, ray_session("local", cpus=actors):
        began = time.monotonic()
        pool = pool_of(actors, unit_seconds, Path(folder))
        while pool.workers() < actors:
            pool.wait(0.1)
        print(f"{actors} actors were ready after {time.monotonic() - began:.0f} s")
        ended = threading.Event()
        killer = threading.Thread(target=kill_some, args=(Path(folder), deaths * actors, ended))
        if deaths:
            killer.start()
        spent, started = time.process_time(), time.monotonic()
        tally = Tally(total=count * 64, before=0, item_seconds=30.0)
        outcomes: Counter[str] = Counter()
        at = []
        for outcome in counted(Dispatcher(pool, units(count)).run(), pool, tally, title="benchmark"):
            outcomes[type(outcome).__name__] += 1
            if isinstance(outcome, Committed):
                at.append(time.monotonic() - started)
        driver = 1e3 * (time.process_time() - spent) / count
        ended.set()
        pool.close()
    whole, busy = (number * unit_seconds / at[number - 1] / actors for number in (count, count - actors))
    print(f"efficiency {whole:.3f}, while there was work for all {busy:.3f}")
    print(f"driver: {driver:.2f} ms of processor time per unit")
    print(dict(outcomes))


def kill_some(folder: Path, per_minute: float, ended: threading.Event) -> None:
    """Kill an actor at random now and then."""
    chance = random.Random(0)
    while not ended.wait(chance.expovariate(per_minute / 60)):
        victim = chance.choice(sorted(folder.iterdir()))
        victim.unlink()
        with suppress(ProcessLookupError):
            os.kill(int(victim.name), signal.SIGKILL)


def pool_of(workers: int, seconds: float, folder: Path | None = None) -> RayPool[Unit, None]:
    factory = partial(FixedCostWorker, seconds, folder)
    return RayPool(factory, resources=Resources(cpus=1.0), wanted=lambda: workers, units=10_000)


def units(count: int) -> list[Unit]:
    clips = tuple(PlannedClip(f"{i:016x}", "genre/track.wav", 0.0, 30.0) for i in range(64))
    return [Unit(f"unit-{u:06d}", 64 * u, clips) for u in range(count)]


if __name__ == "__main__":
    main()
