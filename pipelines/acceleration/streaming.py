"""Faster streaming inference: keep keys, values and projected text that audiocraft computes at every step.

audiocraft joins its cached keys and values to the new ones by copying both, at every step and layer, and
projects the text for the cross-attention anew each time. Inside `streaming` the attention modules write into
buffers of full length and project the text once; their results are the same, and so are all modules and hooks
around them. Modules with options that no published MusicGen uses keep audiocraft's own way.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.nn import functional

from pipelines.acceleration.switch import is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


@contextmanager
def streaming(language_model: Any, *, steps: int) -> Iterator[None]:
    """Within the block, passes of the decoder continue one another.

    Args:
        language_model: `audiocraft.models.LMModel`; its attention modules are changed inside the block, and
            only there.
        steps: Most steps that all passes together make, prepended conditions included. The conditions must be
            the same in every pass.
    """
    changed: list[Any] = []
    try:
        for block in () if is_plain() else language_model.transformer.layers:
            if _is_usual(block.self_attn):
                block.self_attn.forward = _SelfAttention(block.self_attn, steps)
                changed.append(block.self_attn)
            if block.cross_attention is not None and _is_usual(block.cross_attention):
                block.cross_attention.forward = _CrossAttention(block.cross_attention)
                changed.append(block.cross_attention)
        with language_model.streaming():
            yield
    finally:
        for module in changed:
            del module.forward


def streamed_steps(language_model: Any) -> int:
    """Steps that earlier passes of a streaming block made, prepended conditions included; 0 outside.

    Read off a tensor's shape: no waiting for a GPU.
    """
    attention = language_model.transformer.layers[0].self_attn
    keys = attention._streaming_state.get("past_keys")  # noqa: SLF001
    return 0 if keys is None else int(keys.shape[_time_axis(attention)])


def _time_axis(attention: Any) -> int:
    """Where keys have their steps, (rows, heads, steps, width) for torch's own attention, else second."""
    transformer = sys.modules["audiocraft.modules.transformer"]
    return int(transformer._get_attention_time_dimension(attention.memory_efficient))  # noqa: SLF001


def _is_usual(attention: Any) -> bool:
    return (
        attention.custom
        and attention.memory_efficient
        and _time_axis(attention) == 2
        and attention.rope is None
        and attention.past_context is None
        and attention.kv_repeat == 1
        and not attention.qk_layer_norm
        and not attention.attention_as_float32
    )


class _SelfAttention:
    """Stands in for `forward` of a causal `StreamingMultiheadAttention`."""

    def __init__(self, module: Any, steps: int) -> None:
        self._module = module
        self._capacity = steps
        self._done = 0

    def __call__(self, query: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, None]:
        module = self._module
        rows, steps, width = query.shape
        projected = functional.linear(query, module.in_proj_weight, module.in_proj_bias)
        heads = projected.view(rows, steps, 3, module.num_heads, width // module.num_heads)
        queries, new_keys, new_values = heads.permute(2, 0, 3, 1, 4).unbind(0)
        keys, values = self._extended(new_keys, new_values)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=steps > 1)
        return module.out_proj(mixed.transpose(1, 2).reshape(rows, steps, width)), None

    def _extended(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """All keys and values so far, (rows, heads, steps, width of a head), as views of the buffers."""
        rows, heads, steps, width = keys.shape
        first, self._done = self._done, self._done + steps
        if first == 0:
            self._keys = keys.new_empty(rows, heads, self._capacity, width)
            self._values = values.new_empty(rows, heads, self._capacity, width)
        elif steps > 1:
            raise RuntimeError("Only the first pass of a streaming block may hold several steps.")
        self._keys[:, :, first : self._done] = keys
        self._values[:, :, first : self._done] = values
        whole = self._keys[:, :, : self._done], self._values[:, :, : self._done]
        self._module._streaming_state["past_keys"] = whole[0]  # noqa: SLF001 (what `streamed_steps` reads)
        return whole


class _CrossAttention:
    """Stands in for `forward` of a `StreamingMultiheadAttention` that attends to the conditions."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._kept: tuple[torch.Tensor, torch.Tensor] | None = None

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, None]:
        module = self._module
        rows, steps, width = query.shape
        if self._kept is None:
            self._kept = self._project(key)
        bias = None if module.in_proj_bias is None else module.in_proj_bias[:width]
        queries = functional.linear(query, module.in_proj_weight[:width], bias)
        queries = queries.view(rows, steps, module.num_heads, -1).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(queries, *self._kept)
        return module.out_proj(mixed.transpose(1, 2).reshape(rows, steps, width)), None

    def _project(self, conditions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the conditions, (rows, heads, length, width of a head)."""
        module = self._module
        rows, length, width = conditions.shape
        bias = None if module.in_proj_bias is None else module.in_proj_bias[width:]
        projected = functional.linear(conditions, module.in_proj_weight[width:], bias)
        heads = projected.view(rows, length, 2, module.num_heads, width // module.num_heads)
        keys, values = heads.permute(2, 0, 3, 1, 4).unbind(0)
        return keys.contiguous(), values.contiguous()
