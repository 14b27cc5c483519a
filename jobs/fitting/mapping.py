"""Map a function over tasks, here or on Ray: each on one thread, so that sums never change."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from itertools import islice
from typing import Any, Literal, TypeVar

from jobs.engine.ray_session import ray_session, refuse_private_folders
from jobs.execution import FitEngine
from jobs.fitting.threads import one_thread
from jobs.progress.logs import LOG, Logging, about_run, about_unit, logging_now
from store.errors import JobFailed
from store.opening import Store

Task = TypeVar("Task")
Result = TypeVar("Result")

INLINE_SECONDS = 20.0
"""Starting Ray takes about half of that; what is quicker runs in this process."""
MOST_INLINE = 8
"""Tasks at once in this process, each of which may hold a layer."""
MOST_BYTES = 1_600_000_000
"""What they may hold together, unless a number of workers was named."""
TRIES = 3
"""How often a task may lose its worker before the job gives up."""


def choose_engine(engine: FitEngine, *, address: str, seconds: float) -> Literal["inline", "ray"]:
    """What "auto" means for work of an estimated length: inline up to 20 s, unless a cluster was named."""
    if engine != "auto":
        return engine
    return "ray" if address != "local" or seconds > INLINE_SECONDS else "inline"


def map_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    engine: Literal["inline", "ray"],
    address: str = "local",
    workers: int | None = None,
    store: Store | None = None,
    task_bytes: int = 0,
    run_id: str | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield (place, result) of every task, as they are done; a lost worker's task runs again elsewhere.

    Args:
        function: has no effect but its result, and can be pickled.
        tasks: small; what they all share belongs into the function (`functools.partial`).
        engine: where to run.
        address: of the Ray cluster, "local" for a private one.
        workers: tasks at once; as many as there are CPUs by default.
        store: what the function reads: one in a local folder is refused on a cluster of several nodes.
        task_bytes: about what a task holds. In this process no more run at once by default than stay within
            `MOST_BYTES` together.
        run_id: the run that logs name, here and in the tasks, beside the place of the task.
    """
    with about_run(run_id) if run_id is not None else nullcontext():
        if engine == "inline":
            yield from _mapped_here(function, tasks, workers or tasks_at_once(available_cpus(), task_bytes))
            return
        with ray_session(address, cpus=workers if address == "local" else None):
            if store is not None:
                refuse_private_folders([store.url], cure="leave out --address")
            yield from _mapped_on_ray(function, tasks, workers)


def tasks_at_once(cpus: int, task_bytes: int) -> int:
    """How many tasks this process runs at once, at least one."""
    return max(1, min(MOST_INLINE, cpus, MOST_BYTES // max(task_bytes, 1)))


def in_order(found: Iterable[tuple[int, Result]]) -> Iterator[Result]:
    """Results of `map_tasks` in the order of the tasks: what is done early waits for what comes before it."""
    early: dict[int, Result] = {}
    following = 0
    for place, result in found:
        early[place] = result
        while following in early:
            yield early.pop(following)
            following += 1


def available_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _mapped_here(
    function: Callable[[Task], Result], tasks: Sequence[Task], most: int
) -> Iterator[tuple[int, Result]]:
    """Run as many tasks at once as there are threads: NumPy and BLAS let go of the interpreter's lock."""
    waiting = iter(enumerate(tasks))
    pool = ThreadPoolExecutor(most, thread_name_prefix="task")
    with one_thread():  # around all threads: BLAS has one setting for the whole process
        try:
            running: dict[Future[Result], int] = {}
            while True:
                for place, task in islice(waiting, most - len(running)):
                    running[pool.submit(_done_here, function, task, place)] = place
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                future = next(iter(done))
                yield running.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _mapped_on_ray(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None
) -> Iterator[tuple[int, Result]]:
    import ray

    remote: Any = ray.remote(_done_there).options(num_cpus=1, max_retries=TRIES - 1)
    shared, log = ray.put(function), logging_now()
    most = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    running: dict[Any, int] = {}
    waiting = iter(enumerate(tasks))
    try:
        while True:
            while len(running) < most and (following := next(waiting, None)) is not None:
                place, task = following
                running[remote.remote(shared, task, place, log)] = place
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            yield running.pop(done[0]), _result(done[0])
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _done_here(function: Callable[[Task], Result], task: Task, place: int) -> Result:
    with about_unit(f"task-{place:06d}"), one_thread():
        started = time.perf_counter()
        result = function(task)
        LOG.info("task done", extra={"seconds": round(time.perf_counter() - started, 4)})
        return result


def _done_there(function: Callable[[Task], Result], task: Task, place: int, log: Logging) -> Result:
    """In another process, which logs as the driver does."""
    log.begin()
    return _done_here(function, task, place)


def _result(reference: Any) -> Any:
    """The value, or the error that the function raised, as itself."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except ray.exceptions.RayError as error:
        raise JobFailed(
            f"A task lost its worker {TRIES} times, for example by lack of memory: {error}"
        ) from error
