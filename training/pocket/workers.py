"""Training in several one-thread processes whose gradients are averaged.

Small convolutions gain nothing from a second thread (they wait for memory), but everything from a second
process with a batch of its own.
"""

import socket
from collections.abc import Callable, Iterable

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from pipelines.acceleration.freed_memory import keep_freed_memory


def run_workers(task: Callable[..., None], *arguments: object, workers: int) -> None:
    """Call `task(rank, *arguments)` in so many processes that see one another; returns when all are done."""
    if workers == 1:
        torch.set_num_threads(1)
        keep_freed_memory()
        task(0, *arguments)
        return
    address = f"tcp://127.0.0.1:{_free_port()}"
    spawn(_joined, (task, address, workers, arguments), nprocs=workers)


def _joined(
    rank: int, task: Callable[..., None], address: str, workers: int, arguments: tuple[object, ...]
) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=workers)
    try:
        task(rank, *arguments)
    finally:
        distributed.destroy_process_group()


@torch.no_grad()
def average_gradients(parameters: Iterable[torch.Tensor]) -> None:
    """Replace each gradient by its mean over the workers; nothing to do for one."""
    if not distributed.is_initialized():
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(together)
    together /= distributed.get_world_size()
    for gradient, part in zip(
        gradients, together.split([gradient.numel() for gradient in gradients]), strict=True
    ):
        gradient.copy_(part.view_as(gradient))


def worker_count() -> int:
    """How many workers see one another."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
