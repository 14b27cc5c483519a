"""Place workers: in this process, or as Ray actors with what Ray reserves for each, and how many of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from jobs.engine.inline_pool import InlinePool
from jobs.engine.ray_pool import RayPool, Resources
from jobs.engine.ray_session import actors_that_fit, ray_session, refuse_private_folders
from jobs.engine.tasks import Found, Pool, Work, WorkerFactory
from jobs.execution import Execution, resolved_device
from store.errors import InvalidInput
from store.records import ModelInfo

BYTES_PER_PARAMETER = 6
"""float32 weights, and half as much again for activations while they are loaded."""
WORKER_BYTES = 800_000_000
"""Interpreter and torch."""
UNITS_IN_FLIGHT = 2
UNIT_BYTES = 100_000_000
"""What a unit takes where nobody says it: the sounds of a batch, for example."""


@contextmanager
def worker_pool(
    options: Execution,
    factory: WorkerFactory[Work, Found],
    *,
    units: int,
    urls: Sequence[str],
    model: ModelInfo | None = None,
    unit_bytes: int = UNIT_BYTES,
) -> Iterator[Pool[Work, Found]]:
    """Workers for the block; none is left after it, also on Ctrl-C.

    Args:
        options: where they run and what each gets.
        factory: makes one wherever it runs.
        units: there is no use for more workers than these.
        urls: of the folders and buckets that every worker must reach.
        model: what each of them loads, where that decides how many fit into memory.
        unit_bytes: what each of them holds of a unit, likewise.

    Raises:
        InvalidInput: workers cannot be had as asked for.
    """
    with ExitStack() as stack:
        stack.enter_context(place_of_workers(options, urls))
        if options.engine == "inline":
            pool: Pool[Work, Found] = InlinePool(factory)
        else:
            resources, wanted = worker_resources(options, model, unit_bytes)
            pool = RayPool(factory, resources=resources, wanted=wanted, units=units)
        stack.callback(pool.close)
        yield pool


@contextmanager
def place_of_workers(options: Execution, urls: Sequence[str]) -> Iterator[None]:
    """Be where workers can be had as asked for, inside the block; raises `InvalidInput` where they cannot."""
    if options.engine == "inline":
        yield
        return
    with ray_session(options.address):
        if not options.shared_filesystem:
            refuse_private_folders(urls, cure="say --shared-filesystem if every node sees the same folder")
        refuse_missing_gpu(options)
        yield


def worker_resources(
    options: Execution, model: ModelInfo | None = None, unit_bytes: int = UNIT_BYTES
) -> tuple[Resources, Callable[[], int]]:
    """Resources of one worker, and a function that says how many workers the machines hold now.

    Where a node declares GPUs, a worker takes a GPU (or the share asked for); elsewhere one CPU core per
    torch thread. With --workers that many are asked for at once, which makes an autoscaling cluster grow.
    """
    enough = _cluster_gpus() >= options.gpus_per_worker > 0
    gpus = options.device == "cuda" or (options.device == "auto" and enough)
    resources = Resources(
        cpus=0.0 if gpus else float(options.threads), gpus=options.gpus_per_worker if gpus else 0.0
    )
    if options.workers:
        return resources, lambda: options.workers or 1
    most = models_in_memory(model, unit_bytes) if model and options.address == "local" and not gpus else None

    def wanted() -> int:
        fit = actors_that_fit(cpus=resources.cpus, gpus=resources.gpus)
        return fit if most is None else min(fit, most)

    return resources, wanted


def refuse_missing_gpu(options: Execution) -> None:
    """A private Ray never gets a GPU later, so waiting for one would be for ever.

    Raises:
        InvalidInput: --device cuda on this machine alone, which has no GPU.
    """
    if options.device == "cuda" and options.address == "local" and _cluster_gpus() < options.gpus_per_worker:
        raise InvalidInput(
            f"--device cuda: this machine has {_cluster_gpus():g} GPUs that Ray sees, and a worker wants "
            f"{options.gpus_per_worker:g}. Use --device cpu, or --address of a cluster with GPUs."
        )


def local_workers(options: Execution, model: ModelInfo, unit_bytes: int = UNIT_BYTES) -> int:
    """Workers that a job on this machine alone would get."""
    import torch

    if options.engine == "inline":
        return 1
    if options.workers:
        return options.workers
    if resolved_device(options.device) == "cuda":
        return max(1, int(torch.cuda.device_count() / options.gpus_per_worker))
    return max(1, min((os.cpu_count() or 1) // options.threads, models_in_memory(model, unit_bytes)))


def models_in_memory(model: ModelInfo, unit_bytes: int) -> int:
    """How many workers with a copy of a model fit into the memory that is free, at least one."""
    import psutil

    parameters = 16 * model.width**2 * model.layers
    each = parameters * BYTES_PER_PARAMETER + WORKER_BYTES + UNITS_IN_FLIGHT * unit_bytes
    return max(1, int(psutil.virtual_memory().available // each))


def _cluster_gpus() -> float:
    import ray

    return float(ray.cluster_resources().get("GPU", 0.0))
