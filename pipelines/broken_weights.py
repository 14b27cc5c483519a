"""Find weights that are not finite numbers, and refuse the passes that would go through them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from pipelines.musicgen import MusicGenModel

_BLOCK = re.compile(r"transformer\.layers\.(\d+)\.")
_AFTER_THE_BLOCKS = ("out_norm.", "linears.")


@dataclass(frozen=True, slots=True)
class BrokenWeight:
    """One tensor of a checkpoint with values that are not finite."""

    name: str
    values: int
    """How many are NaN or infinite."""
    total: int
    block: int
    """The first decoder block whose output it spoils; −1 where it spoils what enters block 0."""


def refuse_broken_weights(model: MusicGenModel, *, last_block: int | None = None) -> None:
    """Raise ModelError where a pass through the model would meet weights that are not finite.

    Args:
        model: A loaded model.
        last_block: The last decoder block that is computed; None where the output heads are used too.
    """
    for name, tensor in model.codec.state_dict().items():
        needed = name.startswith("encoder.") or name.endswith("_codebook.embed") or last_block is None
        if needed and (values := _broken(tensor)):
            raise ModelError(
                f"The codec of {model.info.name!r} is damaged: {values} of {tensor.numel()} values of {name} "
                "are not finite numbers. Nothing that it encodes can be used: take another checkpoint."
            )
    found = sorted(_broken_weights(model), key=lambda weight: weight.block)
    if found and (last_block is None or found[0].block <= last_block):
        first = found[0]
        raise ModelError(
            f"The weights of {model.info.name!r} are damaged: {first.values} of {first.total} values of "
            f"{first.name} are not finite numbers. {_usable(first.block)}"
        )


def _usable(block: int) -> str:
    if block < 1:
        return "No layer can be used: take another checkpoint."
    layers = "Layer 0 comes" if block == 1 else f"Layers 0 to {block - 1} come"
    return (
        f"{layers} before and can be used: extract with --layers {'0' if block == 1 else f'0-{block - 1}'}."
    )


def _broken_weights(model: MusicGenModel) -> Iterator[BrokenWeight]:
    blocks = len(model.blocks)
    for name, tensor in model.language_model.state_dict().items():
        if values := _broken(tensor):
            in_block = _BLOCK.search(name)
            block = int(in_block[1]) if in_block else blocks if name.startswith(_AFTER_THE_BLOCKS) else -1
            yield BrokenWeight(name, values, tensor.numel(), block)


def _broken(values: torch.Tensor) -> int:
    """How many values are not finite; a sum tells at the speed of memory that all are."""
    import torch

    if not values.is_floating_point() or torch.isfinite(values.sum(dtype=torch.float32)):
        return 0
    return int((~torch.isfinite(values)).sum())
