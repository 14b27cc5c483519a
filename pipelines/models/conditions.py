"""Encode the conditions of a pass: one text per clip or none, and melodies where given.

Padding is not neutral in MusicGen: cross-attention attends to the zeros that fill up the shorter texts of a
batch. So a text is encoded by itself, and clips share a pass only where their conditions are equally long: a
clip's activations do not depend on its neighbours.

Melody models also take a chroma condition. Without a melody they get what audiocraft itself gives them then:
a silent waveform of one sample and length zero, whose chroma is repeated to the length the model was trained
with. Out of a melody drums and bass are taken first, by the separator that the model was trained with.
"""

import random
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.models.audiocraft_import import load_stem_separator
from pipelines.models.protocol import Conditions, Melody
from store.errors import ModelError

TEXT = "description"
"""The conditioner of every MusicGen that takes free text; other text conditions stay empty."""

MAX_KEPT_TEXTS = 1024
MAX_KEPT_MELODIES = 64


class ConditionEncoder:
    """Computes and keeps the conditions of single texts."""

    def __init__(self, provider: Any, *, sample_rate: int) -> None:
        self._provider = provider
        self._sample_rate = sample_rate
        self._kept: OrderedDict[str, Conditions] = OrderedDict()
        self._kept_melodies: OrderedDict[str, Conditions] = OrderedDict()
        self._separator: Any = None

    def encode(self, text: str) -> Conditions:
        """Conditions of one text, B = 1; an empty text is no condition at all."""
        if text not in self._kept:
            self._kept[text] = self._compute(text)
            if len(self._kept) > MAX_KEPT_TEXTS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(text)
        return self._kept[text]

    def encode_melody(self, text: str, melody: NDArray[np.float32]) -> Conditions:
        """Conditions of one text and one melody.

        Args:
            text: As for `encode`.
            melody: Samples (samples,) at the model's rate; longer ones than the model's segment are cut.

        Raises:
            ModelError: The model takes no melody, or the stem separator is not there.
        """
        key = sha256(np.ascontiguousarray(melody, dtype=np.float32).tobytes()).hexdigest()
        if key not in self._kept_melodies:
            self._kept_melodies[key] = self._compute_melody(melody)
            if len(self._kept_melodies) > MAX_KEPT_MELODIES:
                self._kept_melodies.popitem(last=False)
        return {**self.encode(text), **self._kept_melodies[key]}

    def groups(self, texts: Sequence[str], melody: Melody = None) -> list[tuple[list[int], Conditions]]:
        """Split a batch into parts with equally long conditions: (positions in the batch, conditions).

        Args:
            texts: One per clip.
            melody: That all clips follow, as for `encode_melody`; or one for each, None for none.
        """
        each = [melody] * len(texts) if melody is None or isinstance(melody, np.ndarray) else melody
        known: dict[tuple[str, int], Conditions] = {}  # one object for all alike, which `_stack` shares
        positions: dict[tuple[int, ...], list[int]] = {}
        encoded = []
        for position, (text, one) in enumerate(zip(texts, each, strict=True)):
            if (text, id(one)) not in known:
                known[text, id(one)] = self.encode(text) if one is None else self.encode_melody(text, one)
            encoded.append(known[text, id(one)])
            lengths = tuple(embedding.shape[1] for embedding, _ in encoded[position].values())
            positions.setdefault(lengths, []).append(position)
        return [(members, _stack([encoded[member] for member in members])) for members in positions.values()]

    def dropped(self, conditions: Conditions) -> Conditions:
        """What audiocraft makes of dropped conditions: zeros for a text, a silent melody, as long."""
        nothing = self.encode("")
        return {
            name: (torch.zeros_like(embedding), torch.zeros_like(mask)) if name == TEXT else nothing[name]
            for name, (embedding, mask) in conditions.items()
        }

    def _compute(self, text: str) -> Conditions:
        from audiocraft.modules.conditioners import ConditioningAttributes

        attributes = ConditioningAttributes(
            text={name: text if name == TEXT and text else None for name in self._provider.text_conditions},
            wav={name: self._no_melody() for name in self._provider.wav_conditions},
        )
        with torch.inference_mode():
            conditions: Conditions = self._provider(self._provider.tokenize([attributes]))
        return conditions

    def _compute_melody(self, melody: NDArray[np.float32]) -> Conditions:
        from audiocraft.modules.conditioners import WavCondition

        if not self._provider.wav_conditions:
            raise ModelError("This model takes no melody: that is what facebook/musicgen-melody does.")
        samples = torch.tensor(melody, dtype=torch.float32, device=self._provider.device)[None, None]
        length = torch.tensor([samples.shape[-1]], device=self._provider.device)
        condition = WavCondition(samples, length, sample_rate=[self._sample_rate], path=[None])
        conditions: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for name in self._provider.wav_conditions:
            conditioner = self._provider.conditioners[name]
            with torch.inference_mode(), self._separating(conditioner):
                conditions[name] = conditioner(conditioner.tokenize(condition))
        return conditions

    @contextmanager
    def _separating(self, conditioner: Any) -> Iterator[None]:
        """Within the block the conditioner has its stem separator, which loading a model leaves out.

        demucs draws from Python's `random` by how much it shifts what it separates: here always the same.
        """
        separator = self._stem_separator(self._provider.device)
        stand_in, random_state = conditioner.__dict__["demucs"], random.getstate()
        conditioner.__dict__["demucs"] = separator
        random.seed(0)
        try:
            yield
        finally:
            conditioner.__dict__["demucs"] = stand_in
            random.setstate(random_state)

    def _stem_separator(self, device: Any) -> Any:
        if self._separator is None:
            self._separator = load_stem_separator(device)
        return self._separator

    def _no_melody(self) -> Any:
        from audiocraft.modules.conditioners import WavCondition

        silence = torch.zeros((1, 1, 1), device=self._provider.device)
        length = torch.tensor([0], device=self._provider.device)
        return WavCondition(silence, length, sample_rate=[self._sample_rate], path=[None])


def melody_stems(separator: Any, samples: torch.Tensor, rate: int, wanted: int) -> torch.Tensor:
    """What is neither drums nor bass of a sound, mono (1, 1, samples) at the rate `wanted`.

    Args:
        separator: As `load_stem_separator` gives it.
        samples: Float tensor (1, 1, samples).
        rate: Of the samples, in Hz.
        wanted: In Hz.
    """
    from demucs.apply import apply_model
    from demucs.audio import convert_audio

    state = random.getstate()
    random.seed(0)  # demucs draws by how much it shifts what it separates: here always the same
    try:
        sound = convert_audio(samples, rate, separator.samplerate, separator.audio_channels)
        stems = apply_model(separator, sound, device=samples.device)
    finally:
        random.setstate(state)
    kept = [separator.sources.index(name) for name in ("vocals", "other")]
    mixed: torch.Tensor = convert_audio(stems[:, kept].sum(1), separator.samplerate, wanted, 1)
    return mixed


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
