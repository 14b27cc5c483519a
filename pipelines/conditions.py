"""Conditions of a teacher-forced pass: one text per clip or none, each computed once and alone.

Padding is not neutral in MusicGen: cross-attention attends to the zeros that fill up the shorter texts of a
batch. So a text is encoded by itself, and clips share a pass only where their conditions are equally long: a
clip's activations do not depend on its neighbours.

Melody models also take a chroma condition. As only text is wanted here, they get what audiocraft itself gives
them when no melody is supplied: a silent waveform of one sample and length zero, whose chroma is repeated to
the length the model was trained with.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch

Conditions = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""By conditioner: embedding (B, steps, D) and mask (B, steps)."""

TEXT = "description"
"""The conditioner of every MusicGen that takes free text; other text conditions stay empty."""

MAX_KEPT_TEXTS = 1024


class ConditionEncoder:
    """Computes and keeps the conditions of single texts."""

    def __init__(self, provider: Any, *, sample_rate: int) -> None:
        self._provider = provider
        self._sample_rate = sample_rate
        self._kept: OrderedDict[str, Conditions] = OrderedDict()

    def encode(self, text: str) -> Conditions:
        """Conditions of one text, B = 1; an empty text is no condition at all."""
        if text not in self._kept:
            self._kept[text] = self._compute(text)
            if len(self._kept) > MAX_KEPT_TEXTS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return self._kept[text]

    def groups(self, texts: Sequence[str]) -> list[tuple[list[int], Conditions]]:
        """Split a batch into parts with equally long conditions: (positions in the batch, conditions)."""
        encoded = {text: self.encode(text) for text in dict.fromkeys(texts)}
        positions: dict[tuple[int, ...], list[int]] = {}
        for position, text in enumerate(texts):
            lengths = tuple(embedding.shape[1] for embedding, _ in encoded[text].values())
            positions.setdefault(lengths, []).append(position)
        return [
            (members, _stack([encoded[texts[member]] for member in members]))
            for members in positions.values()
        ]

    def _compute(self, text: str) -> Conditions:
        from audiocraft.modules.conditioners import ConditioningAttributes

        attributes = ConditioningAttributes(
            text={name: text if name == TEXT and text else None for name in self._provider.text_conditions},
            wav={name: self._no_melody() for name in self._provider.wav_conditions},
        )
        with torch.inference_mode():
            conditions: Conditions = self._provider(self._provider.tokenize([attributes]))
        return conditions

    def _no_melody(self) -> Any:
        from audiocraft.modules.conditioners import WavCondition

        silence = torch.zeros((1, 1, 1), device=self._provider.device)
        length = torch.tensor([0], device=self._provider.device)
        return WavCondition(silence, length, sample_rate=[self._sample_rate], path=[None])


def _stack(parts: Sequence[Conditions]) -> Conditions:
    """Join conditions of single clips along the batch; without a copy where all clips share one text."""
    if all(part is parts[0] for part in parts):
        return {
            name: (embedding.expand(len(parts), -1, -1), mask.expand(len(parts), -1))
            for name, (embedding, mask) in parts[0].items()
        }
    return {
        name: (torch.cat([part[name][0] for part in parts]), torch.cat([part[name][1] for part in parts]))
        for name in parts[0]
    }
