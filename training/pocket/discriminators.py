"""Discriminators: small networks that tell reconstructions from originals.

Two hear the complex spectrum at different resolutions, as EnCodec's (Défossez et al. 2022,
arXiv:2210.13438), and one the mel spectrum, where timbre is: on a CPU it costs a tenth.
"""

import torch
from torch import nn
from torch.nn import functional

from training.pocket.spectra import SAMPLE_RATE, log_mel

COMPLEX_SIZES = (1024, 256)
COMPLEX_CHANNELS, MEL_CHANNELS = 8, 32
STRIDES = ((2, 1), (2, 2), (2, 2), (2, 1))
MEL_HOP = SAMPLE_RATE // 100

Judgement = tuple[torch.Tensor, list[torch.Tensor]]
"""Scores of places in the spectrum, positive for originals, and the maps of all layers before."""


class Discriminators(nn.Module):
    """All of them, on audio (B, samples)."""

    def __init__(self) -> None:
        super().__init__()
        self.complex = nn.ModuleList(SpectrumDiscriminator(2, COMPLEX_CHANNELS) for _ in COMPLEX_SIZES)
        self.mel = SpectrumDiscriminator(1, MEL_CHANNELS)

    def forward(self, audio: torch.Tensor) -> list[Judgement]:
        """One judgement of each."""
        judged = [
            network(compressed_spectrum(audio, size))
            for network, size in zip(self.complex, COMPLEX_SIZES, strict=True)
        ]
        return [*judged, self.mel(log_mel(audio, hop=MEL_HOP).clamp_min(-7.0)[:, None] / 2 + 1)]


class SpectrumDiscriminator(nn.Module):
    """Strided convolutions over (frequency, time)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        widths = [inputs, *(channels * min(2**layer, 4) for layer in range(len(STRIDES)))]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(before, after, 3, stride, padding=1))
            for before, after, stride in zip(widths, widths[1:], STRIDES, strict=False)
        )
        self.score = nn.utils.parametrizations.weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, maps: torch.Tensor) -> Judgement:
        """Of a spectrum (B, inputs, bins, frames)."""
        kept = []
        for layer in self.layers:
            maps = functional.leaky_relu(layer(maps), 0.2)
            kept.append(maps)
        return self.score(maps), kept


def compressed_spectrum(audio: torch.Tensor, size: int) -> torch.Tensor:
    """Complex STFT with the square root of its magnitude: (B, 2, bins, frames)."""
    window = torch.hann_window(size, device=audio.device)
    spectrum = torch.stft(audio, size, size // 4, window=window, return_complex=True)
    parts = torch.view_as_real(spectrum).permute(0, 3, 1, 2)
    magnitude = torch.sqrt(parts.square().sum(1, keepdim=True) + 1e-6)
    return parts / magnitude.sqrt()


def discriminator_loss(real: list[Judgement], made: list[Judgement]) -> torch.Tensor:
    """Hinge loss (Lim and Ye 2017, arXiv:1705.02894), mean over the networks."""
    losses = [
        functional.relu(1 - true).mean() + functional.relu(1 + false).mean()
        for (true, _), (false, _) in zip(real, made, strict=True)
    ]
    return torch.stack(losses).mean()


def deception_loss(made: list[Judgement]) -> torch.Tensor:
    """What the decoder lowers to be taken for real."""
    return torch.stack([-score.mean() for score, _ in made]).mean()


def feature_distance(real: list[Judgement], made: list[Judgement]) -> torch.Tensor:
    """Relative L1 distance of all layers' maps (feature matching, Larsen et al. 2016, arXiv:1512.09300)."""
    distances = [
        (true.detach() - false).abs().mean() / true.detach().abs().mean().clamp_min(1e-4)
        for (_, real_maps), (_, made_maps) in zip(real, made, strict=True)
        for true, false in zip(real_maps, made_maps, strict=True)
    ]
    return torch.stack(distances).mean()
