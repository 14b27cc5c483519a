"""Batches for classifier-free guidance: every row with its conditions, then every row without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pipelines.models.conditions import TEXT, Conditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.models.musicgen import MusicGenModel


def guided(model: MusicGenModel, conditions: Sequence[Conditions]) -> Conditions:
    """Stack conditions of single clips, and below them what stands for no condition at the same lengths."""
    unconditional = [_without(model, one) for one in conditions]
    return stacked([*conditions, *unconditional])


def stacked(parts: Sequence[Conditions]) -> Conditions:
    """Join conditions of single clips, equally long ones, along the batch."""
    return {
        name: (torch.cat([part[name][0] for part in parts]), torch.cat([part[name][1] for part in parts]))
        for name in parts[0]
    }


def condition_lengths(conditions: Conditions) -> tuple[int, ...]:
    """Steps of each condition: clips can share a pass where these are equal."""
    return tuple(embedding.shape[1] for embedding, _ in conditions.values())


def prepended_steps(language_model: Any, conditions: Conditions) -> int:
    """P: how many steps of the conditions stand before the audio."""
    names = language_model.fuser.fuse2cond.get("prepend", ())
    return sum(conditions[name][0].shape[1] for name in names if name in conditions)


def _without(model: MusicGenModel, conditions: Conditions) -> Conditions:
    """What audiocraft makes of dropped conditions: zeros for a text, a silent melody; their lengths stay."""
    nothing = model.conditions.encode("")
    return {
        name: (torch.zeros_like(embedding), torch.zeros_like(mask)) if name == TEXT else nothing[name]
        for name, (embedding, mask) in conditions.items()
    }
