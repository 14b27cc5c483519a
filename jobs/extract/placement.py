"""Decides how many workers run, and what Ray reserves for each."""

import os
from collections.abc import Callable

from jobs.engine.ray_pool import Resources
from jobs.engine.ray_session import actors_that_fit
from jobs.execution import Execution
from store.errors import InvalidInput
from store.records import ModelInfo

BYTES_PER_PARAMETER = 6
"""float32 weights, and half as much again for activations while they are loaded."""
WORKER_BYTES = 1_000_000_000
"""Interpreter, torch and the units in flight."""


def worker_resources(options: Execution, model: ModelInfo) -> tuple[Resources, Callable[[], int]]:
    """Resources of one worker, and a function that says how many workers the machines hold now.

    Where a node declares GPUs, a worker takes a GPU (or the share asked for); elsewhere one CPU core per
    torch thread. With --workers that many are asked for at once, which makes an autoscaling cluster grow.
    """
    gpus = options.device == "cuda" or (options.device == "auto" and _cluster_gpus() > 0)
    resources = Resources(
        cpus=0.0 if gpus else float(options.threads), gpus=options.gpus_per_worker if gpus else 0.0
    )
    if options.workers:
        return resources, lambda: options.workers or 1
    most = models_in_memory(model) if options.address == "local" and not gpus else None

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


def local_workers(options: Execution, model: ModelInfo) -> int:
    """Workers that an extraction on this machine alone would get."""
    import torch

    if options.engine == "inline":
        return 1
    if options.workers:
        return options.workers
    if options.device != "cpu" and torch.cuda.is_available():
        return max(1, int(torch.cuda.device_count() / options.gpus_per_worker))
    return max(1, min((os.cpu_count() or 1) // options.threads, models_in_memory(model)))


def models_in_memory(model: ModelInfo) -> int:
    """How many copies of a model fit into the memory that is free, at least one."""
    import psutil

    parameters = 16 * model.width**2 * model.layers
    each = parameters * BYTES_PER_PARAMETER + WORKER_BYTES
    return max(1, int(psutil.virtual_memory().available // each))


def _cluster_gpus() -> float:
    import ray

    return float(ray.cluster_resources().get("GPU", 0.0))
