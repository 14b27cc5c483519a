"""Copy results to the host while the device works on the next batch."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

HostArrays = dict[str, npt.NDArray[np.floating[Any]]]


def start_copy(tensors: Mapping[str, Any]) -> Callable[[], HostArrays]:
    """Start copying torch tensors to the host; call the result to wait for them.

    On CUDA the copy runs on a stream of its own into pinned memory, and the call waits for its event:
    reading earlier would read garbage. On a CPU the arrays share the tensors' memory.
    """
    import torch

    if not any(tensor.is_cuda for tensor in tensors.values()):
        return lambda: {name: tensor.numpy() for name, tensor in tensors.items()}
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    pinned = {}
    with torch.cuda.stream(stream):
        for name, tensor in tensors.items():
            host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            host.copy_(tensor, non_blocking=True)
            tensor.record_stream(stream)
            pinned[name] = host
        done = torch.cuda.Event()
        done.record(stream)

    def wait() -> HostArrays:
        done.synchronize()
        return {name: tensor.numpy() for name, tensor in pinned.items()}

    return wait
