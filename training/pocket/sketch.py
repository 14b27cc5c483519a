"""An auxiliary decoder from latents to log-mel spectrograms, which teaches the encoder and is thrown away.

It works at the codec's frame rate alone: a step costs a fifth of one with a decoder of sound, whose phases
few bits could not hold anyway. Nothing of it is left in the finished codec.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from pipelines.pocket.configuration import LATENT_WIDTH, SAMPLES_PER_FRAME
from training.pocket.spectra import log_mel

WIDTH = 256
BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Resolution:
    """One of the spectrograms that are sketched."""

    size: int
    """Samples of a window."""
    bands: int
    per_frame: int
    """Spectra in each of the codec's frames."""
    weight: float


RESOLUTIONS = (Resolution(1024, 80, 2, 1.0), Resolution(256, 40, 4, 0.25))
"""The one by which the codec is measured, and one that hears when notes begin."""


class Sketch(nn.Module):
    """Convolutions over frames, and a linear head for each resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.entrance = nn.Conv1d(LATENT_WIDTH, WIDTH, 5, padding=2)
        self.blocks = nn.Sequential(*(_Block() for _ in range(BLOCKS)))
        self.heads = nn.ModuleList(
            nn.Conv1d(WIDTH, one.bands * one.per_frame, 3, padding=1) for one in RESOLUTIONS
        )

    def forward(self, latent: torch.Tensor) -> list[torch.Tensor]:
        """Log-mel spectrograms (B, bands, per_frame · T), one of each resolution, from (B, width, T)."""
        features = self.blocks(self.entrance(latent))
        return [
            head(features).unflatten(1, (one.per_frame, one.bands)).permute(0, 2, 3, 1).flatten(2)
            for head, one in zip(self.heads, RESOLUTIONS, strict=True)
        ]


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.GroupNorm(1, WIDTH),
            nn.Conv1d(WIDTH, WIDTH, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(WIDTH, WIDTH, 1),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, width, T) to the same shape."""
        changed: torch.Tensor = features + self.inside(features)
        return changed


def sketch_distances(sketches: Sequence[torch.Tensor], audio: torch.Tensor) -> list[torch.Tensor]:
    """Mean absolute difference of each sketch and the spectrogram of audio (B, samples).

    Args:
        sketches: one for each of RESOLUTIONS, (B, bands, per_frame · T).
        audio: T frames, (B, samples).
    """
    distances = []
    for drawn, one in zip(sketches, RESOLUTIONS, strict=True):
        spectrogram = log_mel(audio, size=one.size, hop=SAMPLES_PER_FRAME // one.per_frame, bands=one.bands)
        distances.append(functional.l1_loss(drawn, spectrogram[:, :, : drawn.shape[2]]))
    return distances


def total_distance(distances: Sequence[torch.Tensor]) -> torch.Tensor:
    """Their sum, weighted."""
    return torch.stack([one.weight * each for one, each in zip(RESOLUTIONS, distances, strict=True)]).sum()


def named_distances(distances: Sequence[torch.Tensor]) -> dict[str, float]:
    """For the log."""
    return {
        f"log_mel_{one.size}": float(each.detach()) for one, each in zip(RESOLUTIONS, distances, strict=True)
    }
