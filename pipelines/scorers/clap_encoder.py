"""Interface of a library with CLAP models: facts of a model, embeddings of audio windows and of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

RECIPE = 1
"""Counts changes of how audio becomes windows and spectra: another number, other fingerprints."""


@dataclass(frozen=True, slots=True)
class ClapInfo:
    """What a user of the embeddings must know of a CLAP."""

    name: str
    fingerprint: str
    """Of weights, tokenizer, spectrogram settings, recipe and the resampler that brings audio to the rate:
    embeddings of equal ones can be compared."""
    sample_rate: int
    width: int
    """E, of the space that audio and texts share."""
    window_samples: int
    """What one pass takes in; shorter audio is repeated, longer is cut into several windows."""
    scale: float
    """Multiplies cosines before the softmax: the inverse of the temperature the model was trained with."""


class ClapEncoder(Protocol):
    """The part of an adapter that knows a library."""

    @property
    def info(self) -> ClapInfo: ...

    def embed_windows(self, windows: "torch.Tensor") -> "torch.Tensor":
        """From (B, window_samples) at the model's rate, on any device, to (B, E)."""

    def embed_texts(self, texts: Sequence[str]) -> "torch.Tensor":
        """(n, E)."""
