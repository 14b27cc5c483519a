"""Reconstruction loss: distance of spectra at several resolutions.

Multi-scale mel distance as in EnCodec (Défossez et al. 2022, arXiv:2210.13438) and DAC (Kumar et al. 2023,
arXiv:2306.06546).
"""

from dataclasses import dataclass

import torch

from pipelines.pocket.training.spectra import magnitudes, mel_spectrum

# STFT size and mel bands; the hop is a quarter of the size.
SCALES = ((2048, 128), (1024, 80), (512, 40), (256, 20))
FLOOR = 1e-4
"""Added to mel magnitudes before the logarithm: what is much weaker is noise."""


@dataclass(frozen=True, slots=True)
class ReconstructionWeights:
    """How much each distance counts."""

    log_mel: float = 1.0
    magnitude: float = 0.5


def reconstruction_loss(
    made: torch.Tensor, original: torch.Tensor, weights: ReconstructionWeights
) -> tuple[torch.Tensor, dict[str, float]]:
    """Weighted sum and its parts, of audio (B, samples)."""
    log_distance, distance = zip(
        *(_distances(made, original, size, bands) for size, bands in SCALES), strict=True
    )
    parts = {
        "log_mel": torch.stack(log_distance).mean(),
        "magnitude": torch.stack(distance).mean(),
    }
    total = sum((getattr(weights, name) * part for name, part in parts.items()), torch.zeros(()))
    return total, {name: float(part.detach()) for name, part in parts.items()}


def _distances(
    made: torch.Tensor, original: torch.Tensor, size: int, bands: int
) -> tuple[torch.Tensor, torch.Tensor]:
    spectra = [magnitudes(audio, size=size, hop=size // 4) for audio in (made, original)]
    mels = [mel_spectrum(spectrum, bands=bands) for spectrum in spectra]
    logs = [torch.log(mel + FLOOR) for mel in mels]
    relative = (spectra[0] - spectra[1]).abs().sum() / spectra[1].sum()
    return (logs[0] - logs[1]).abs().mean(), relative
