"""Passes without a text: cross-attention to conditions of zeros adds zeros, so none is computed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.acceleration.switch import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import torch


@contextmanager
def idle_attention(attentions: Iterable[Any], conditions: torch.Tensor | None) -> Iterator[None]:
    """Within the block, cross-attention to conditions that are all zero gives zeros at once, on a CPU.

    An empty text is such a condition: its keys and values are zero. The modules around it and all hooks
    see what they would see otherwise. Attention that adds a bias is computed, and so is all attention on a
    GPU, where looking at the conditions would wait for it.

    Args:
        attentions: Modules that give their output and None; they are changed inside the block alone.
        conditions: What all of them attend to; None for nothing.
    """
    changed: list[Any] = []
    try:
        if _is_nothing(conditions):
            for attention in attentions:
                if attention is not None and not _adds(attention):
                    attention.forward = _zeros
                    changed.append(attention)
        yield
    finally:
        for attention in changed:
            del attention.forward


def _is_nothing(conditions: torch.Tensor | None) -> bool:
    if conditions is None or conditions.device.type != "cpu" or is_plain():
        return False
    return not conditions.any()


def _adds(attention: Any) -> bool:
    return any(name.endswith("bias") for name, _ in attention.named_parameters())


def _zeros(query: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, None]:
    return query.new_zeros(query.shape), None
