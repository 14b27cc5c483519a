"""Find weights that are not finite numbers, and refuse to run layers that have them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.models.checkpoint_tensors import non_finite_tensors
from store.errors import ModelError

if TYPE_CHECKING:
    import torch

_BLOCK = re.compile(r"transformer\.layers\.(\d+)\.")
_AFTER_THE_BLOCKS = ("out_norm.", "linears.")
_DECODER = "decoder."
NAMED = 3
"""Tensors that a message names."""


@dataclass(frozen=True, slots=True)
class BrokenWeight:
    """One tensor of a checkpoint with values that are not finite."""

    name: str
    count: int
    """How many are NaN or infinite."""
    values: int
    """All values of it."""
    block: int
    """The first decoder block whose output it spoils; −1 where it spoils what enters block 0."""


def broken_weights(
    language_model: Mapping[str, "torch.Tensor"], codec: Mapping[str, "torch.Tensor"], *, blocks: int
) -> tuple[BrokenWeight, ...]:
    """Tensors of a checkpoint that hold NaN or infinity, what they spoil first in front.

    Args:
        language_model: Its tensors by name.
        codec: Likewise; empty where the file only names a published codec.
        blocks: Of the language model's transformer; heads and the codec's decoder count as the next one.
    """
    found = [*_of_language_model(language_model, blocks), *_of_codec(codec, blocks)]
    return tuple(sorted(found, key=lambda weight: weight.block))


def refuse_broken_weights(model: str, broken: Sequence[BrokenWeight], *, last_block: int | None) -> None:
    """Raise ModelError where a pass through a model would meet weights that are not finite.

    Args:
        model: Its name.
        broken: As `broken_weights` gives them.
        last_block: The last decoder block that is computed; None where sound is generated.
    """
    if broken and (last_block is None or broken[0].block <= last_block):
        raise ModelError(f"{note_on_weights(model, broken)} {_usable(broken[0].block)}")


def note_on_weights(model: str, broken: Sequence[BrokenWeight]) -> str:
    """A sentence on the weights that are not finite."""
    listed = ", ".join(f"{one.name} ({one.count:,} of {one.values:,})" for one in broken[:NAMED])
    more = f" and {len(broken) - NAMED} more tensors" if len(broken) > NAMED else ""
    return (
        f"The weights of {model!r} hold NaN or infinity in {listed}{more}: its training diverged, or its "
        "file is damaged."
    )


def _usable(block: int) -> str:
    if block < 1:
        return "No layer can be used: take another checkpoint."
    layers = "Layer 0 comes" if block == 1 else f"Layers 0 to {block - 1} come"
    return f"{layers} before and can be extracted: --layers {'0' if block == 1 else f'0-{block - 1}'}."


def _of_language_model(state: Mapping[str, Any], blocks: int) -> Iterator[BrokenWeight]:
    for one in non_finite_tensors(state):
        in_block = _BLOCK.search(one.name)
        block = int(in_block[1]) if in_block else blocks if one.name.startswith(_AFTER_THE_BLOCKS) else -1
        yield BrokenWeight(one.name, one.count, one.values, block)


def _of_codec(state: Mapping[str, Any], blocks: int) -> Iterator[BrokenWeight]:
    for one in non_finite_tensors(state):
        block = blocks if one.name.startswith(_DECODER) else -1
        yield BrokenWeight(f"the codec's {one.name}", one.count, one.values, block)
