"""Matrix products on a CPU through oneDNN, where they keep AVX-512 busy whoever made the processor.

Of float32 products torch takes MKL's, which use half as wide vectors on AMD's processors: 115 instead of
250 billion operations a second on one core of an EPYC, with the same bits. No layout is changed and no
weight is copied, as `torch.compile` does with the same operator.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def fast_products(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """A block in which `torch.nn.functional.linear` is oneDNN's, where that is of use: float32 on a CPU.

    Nothing is recorded for gradients inside. Elsewhere, and with builds of torch that have no MKL or lack the
    operator, the block changes nothing.
    """
    wanted = device.type == "cpu" and dtype == torch.float32
    return _ThroughOneDnn() if wanted and _has_operator() else nullcontext()


class _ThroughOneDnn(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.linear:
            return _product(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _product(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:  # noqa: A002
    """`functional.linear` with its own names: (…, K) by (N, K) to (…, N)."""
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "")  # noqa: SLF001
    return product


def _has_operator() -> bool:
    backends = torch.backends
    has_both = backends.mkl.is_available() and backends.mkldnn.is_available()
    return has_both and hasattr(torch.ops.mkldnn, "_linear_pointwise")
