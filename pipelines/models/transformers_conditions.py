"""Encode the conditions of transformers' MusicGen: its T5 and projections, and chroma of a melody.

As in audiocraft, with which MusicGen was trained: a text is encoded by itself and never padded, no
condition is a step of zeros, and a melody model without a melody gets the chroma of silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from pipelines.models.conditions import TEXT, ConditionEncoder, melody_stems
from pipelines.models.text_encoder_files import load_tokenizer
from pipelines.models.transformers_modules import quiet_transformers
from store.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.models.protocol import Conditions
    from store.records import ModelInfo

MELODY = "self_wav"
"""audiocraft's name of the conditioner for melodies."""


class TransformersConditions(ConditionEncoder):
    """Computes and keeps the conditions of single texts and melodies."""

    def __init__(self, whole: Any, folder: Path, *, info: ModelInfo) -> None:
        super().__init__(None, sample_rate=info.sample_rate)
        self._whole, self._info, self.folder = whole, info, folder
        with quiet_transformers():
            self._tokenizer = load_tokenizer(folder)
        self._features = _features(folder, whole.config, info) if info.melody else None

    def joined(self, conditions: Conditions) -> torch.Tensor:
        """What the decoder is given, (rows, steps, D): a melody before the text."""
        text = conditions[TEXT][0]
        return torch.cat([conditions[MELODY][0], text], dim=1) if MELODY in conditions else text

    def _compute(self, text: str) -> Conditions:
        whole = self._whole
        inputs = self._tokenizer([text], return_tensors="pt").to(whole.device)
        mask = inputs.attention_mask if text else torch.zeros_like(inputs.attention_mask)
        with torch.inference_mode():
            states = whole.text_encoder(**inputs).last_hidden_state
            if hasattr(whole, "enc_to_dec_proj"):
                states = whole.enc_to_dec_proj(states)
            states = states * mask[..., None]
        found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {TEXT: (states, mask)}
        return {**found, **(self._of_chroma(self._silence()) if self._info.melody else {})}

    def _compute_melody(self, melody: NDArray[np.float32]) -> Conditions:
        if self._features is None:
            raise ModelError("This model takes no melody: that is what facebook/musicgen-melody does.")
        samples = torch.tensor(melody, dtype=torch.float32, device=self._whole.device)[None, None]
        with torch.inference_mode():
            stems = melody_stems(
                self._stem_separator(self._whole.device),
                samples,
                self._sample_rate,
                self._features.sampling_rate,
            )
        return self._of_chroma(self._chroma(stems[:, 0]))

    def _silence(self) -> torch.Tensor:
        return self._chroma(torch.zeros(1, 1))

    def _chroma(self, samples: torch.Tensor) -> torch.Tensor:
        """Which pitch class is strongest, (1, steps, classes), of samples (1, samples)."""
        assert self._features is not None
        chroma: torch.Tensor = self._features._torch_extract_fbank_features(samples.cpu())  # noqa: SLF001
        return chroma.to(self._whole.device)

    def _of_chroma(self, chroma: torch.Tensor) -> Conditions:
        """Repeated to the length that the model was trained with, or cut to it."""
        length = self._whole.config.chroma_length
        repeated = chroma.repeat(1, -(-length // chroma.shape[1]), 1)[:, :length]
        with torch.inference_mode():
            projected = hasattr(
                self._whole, "audio_enc_to_dec_proj"
            )  # not where it is as wide as the decoder
            states = self._whole.audio_enc_to_dec_proj(repeated) if projected else repeated
        return {MELODY: (states, torch.ones(states.shape[:2], device=states.device))}


def _features(folder: Path, config: Any, info: ModelInfo) -> Any:
    from transformers import MusicgenMelodyFeatureExtractor

    from pipelines.models.conversion.to_audiocraft import CHROMA_FFT
    from pipelines.models.conversion.transformers_files import FEATURES, read_json

    fft = read_json(folder / FEATURES, optional=True).get("n_fft", CHROMA_FFT)
    return MusicgenMelodyFeatureExtractor(
        feature_size=config.num_chroma,
        num_chroma=config.num_chroma,
        sampling_rate=info.sample_rate,
        n_fft=fft,
        hop_length=fft // 4,
    )
