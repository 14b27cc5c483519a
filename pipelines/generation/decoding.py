"""The autoregressive loop: writes tokens step by step, in windows of the trained length.

Beyond the model's segment a window of that length moves on: the end of what is there fills the cache anew, as
if it were a prompt, like in audiocraft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pipelines.generation.sampling import choose_tokens
from pipelines.models.delay import delayed
from store.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipelines.generation.sampling import GumbelNoise, Sampling
    from pipelines.models.protocol import Conditions, GeneratingModel, LoadedModel
    from store.records import ModelInfo


def guided(model: LoadedModel, conditions: Sequence[Conditions]) -> Conditions:
    """Stack conditions of single clips, and below them what stands for no condition at the same lengths."""
    unconditional = [model.conditions.dropped(one) for one in conditions]
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


STRIDE = 0.6
"""The part of a window by which it moves on: 18 of 30 s, as in audiocraft."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a generation that one cache holds, in frames of the whole."""

    start: int
    end: int
    known: int
    """Frames before this one are there already."""


def windows_of(info: ModelInfo, frames: int, prompt: int) -> Iterator[Window]:
    """Whole windows of the model's segment, each keeping the end of the one before."""
    window = window_frames(info)
    stride = max(1, int(info.frame_rate * info.max_seconds * STRIDE))
    start, known = 0, prompt
    while True:
        end = min(start + window, frames)
        yield Window(start, end, known)
        if end == frames:
            return
        start, known = start + stride, end


def window_frames(info: ModelInfo) -> int:
    """Frames of the longest window."""
    return int(info.max_seconds * info.frame_rate)


def count_steps(info: ModelInfo, frames: int, prompt: int) -> int:
    """Decoder steps that a generation takes."""
    spread = max(info.delays) - min(info.delays)
    return sum(window.end - window.known + spread for window in windows_of(info, frames, prompt))


def fill_window(
    model: GeneratingModel,
    codes: torch.Tensor,
    window: Window,
    conditions: Conditions,
    sampling: Sampling,
    noise: GumbelNoise,
    stepped: Callable[[], None],
) -> None:
    """Generate the unknown frames of a window.

    Args:
        model: A loaded model.
        codes: Of the whole generation, (B, K, T), written to.
        window: The part to fill.
        conditions: Of all rows, see `pipelines.generation.decoding`.
        sampling: How tokens are chosen.
        noise: Of the B generations.
        stepped: Called after every step.

    Raises:
        ModelError: The model gives logits that are no numbers.
    """
    delays = model.info.delays
    part = codes[..., window.start : window.end]
    known, frames = window.known - window.start, part.shape[-1]
    sequence = delayed(part, delays, model.special_token)
    steps, before = sequence.shape[-1], 0
    finite = torch.ones((), dtype=torch.bool, device=codes.device)
    with model.streaming(steps=steps, conditions=conditions):
        for step in range(known + 1 + min(delays), steps):
            logits = _next_logits(model, sequence[..., before:step], conditions, sampling.guidance)
            finite &= logits.isfinite().all()
            drawn = None if sampling.greedy else noise.at(window.start + step)
            tokens = choose_tokens(logits, sampling, drawn)
            due = [k for k, delay in enumerate(delays) if known <= step - 1 - delay < frames]
            everywhere = slice(None) if len(due) == len(delays) else due
            sequence[:, everywhere, step] = tokens[:, everywhere]
            before = step
            stepped()
    if not finite:  # asked once, as a GPU would have to be waited for
        raise ModelError(
            "The model's logits are not finite: an edit is too strong, or the numbers of its dtype too small "
            "(choose bfloat16 or float32)."
        )
    for k, delay in enumerate(delays):
        part[:, k] = sequence[:, k, delay + 1 : delay + 1 + frames]


def _next_logits(
    model: GeneratingModel, tokens: torch.Tensor, conditions: Conditions, guidance: float
) -> torch.Tensor:
    """Logits (B, K, V) of the step after `tokens` (B, K, steps), which continue what was passed before."""
    logits = model.next_logits(tokens, conditions, copies=1 if guidance == 1 else 2)
    if guidance == 1:
        return logits
    conditional, unconditional = logits.chunk(2)
    return unconditional + (conditional - unconditional) * guidance
