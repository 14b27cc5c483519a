"""Matrix products on a CPU through oneDNN, which uses AVX-512 on any processor that has it.

Of float32 products torch takes MKL's, which use half as wide vectors on AMD's processors: 115 instead of
250 billion operations a second on one core of an EPYC, where both gave the same bits; others may round
otherwise. No layout is changed and no weight is copied, as `torch.compile` does with the same operator.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from pipelines.acceleration.switch import is_plain


def fast_products(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """A block in which `torch.nn.functional.linear` is oneDNN's, where that is of use: float32 on a CPU.

    Gradients flow through it, once, and are oneDNN's products too. Elsewhere, and with builds of torch that
    have no MKL or lack the operator, the block changes nothing.
    """
    wanted = device.type == "cpu" and dtype == torch.float32 and not is_plain()
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
    if input.ndim < 2 or not input.numel():
        return functional.linear(input, weight, bias)
    if torch.is_grad_enabled():
        product: torch.Tensor = _DifferentiableProduct.apply(input, weight, bias)  # type: ignore[no-untyped-call]
        return product
    return _multiply(input, weight, bias)


class _DifferentiableProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        context.save_for_backward(rows, weight)
        return _multiply(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, weight = context.saved_tensors
        for_rows, for_weight, for_bias = context.needs_input_grad
        flat = gradient.flatten(0, -2)
        return (
            _multiply(gradient, weight.t()) if for_rows else None,
            _multiply(flat.t(), rows.flatten(0, -2).t()) if for_weight else None,
            flat.sum(0) if for_bias else None,
        )


def _multiply(rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")  # noqa: SLF001
    return product


def _has_operator() -> bool:
    backends = torch.backends
    has_both = backends.mkl.is_available() and backends.mkldnn.is_available()
    return has_both and hasattr(torch.ops.mkldnn, "_linear_pointwise")
