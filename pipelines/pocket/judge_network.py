"""The network of the judge: convolutions over log-mel spectrograms, and a head per question."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from pipelines.scorers.mel_spectrogram import log_mel

SAMPLE_RATE = 16_000
WINDOW_SECONDS = 4.0
MEL_BINS, WINDOW_SAMPLES, HOP_SAMPLES = 80, 2048, 512
CHANNELS = (24, 32, 48, 64)
FLOOR_DB = -60.0
"""Below a clip's loudest place, everything counts as silent."""

ONSET_BANDS, ONSET_HOP_SAMPLES, ONSET_WINDOW_SAMPLES = 4, 160, 512
SHORTEST_LAG, LONGEST_LAG = 15, 200
"""In onset frames of 10 ms: 400 to 30 events per minute."""
TEMPOS_BPM = torch.arange(60.0, 171.0, 2.0)


class JudgeNetwork(nn.Module):
    """Convolutions over a spectrogram for classes, and autocorrelated onsets for the tempo."""

    def __init__(self, classes: Mapping[str, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((1, *CHANNELS[:-1]), CHANNELS, strict=True):
            layers += _convolution(inputs, outputs, stride=2)
            if outputs > CHANNELS[0]:
                layers += _convolution(outputs, outputs, stride=1)
        self.body = nn.Sequential(*layers)
        features = 2 * CHANNELS[-1] * -(-MEL_BINS // 2 ** len(CHANNELS))
        self.heads = nn.ModuleDict(
            {
                concept: nn.Sequential(
                    nn.Dropout(0.2), nn.Linear(features, 96), nn.ReLU(), nn.Linear(96, count)
                )
                for concept, count in classes.items()
            }
        )
        lags = ONSET_BANDS * (LONGEST_LAG - SHORTEST_LAG)
        self.tempo = nn.Sequential(
            nn.Linear(lags, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, len(TEMPOS_BPM))
        )
        self.filters: torch.Tensor
        self.temperatures: torch.Tensor
        self.register_buffer("filters", torch.zeros(WINDOW_SAMPLES // 2 + 1, MEL_BINS))
        self.register_buffer("temperatures", torch.ones(len(classes)))

    def classify(self, spectra: torch.Tensor) -> dict[str, torch.Tensor]:
        """From `spectra` (B, frames, mel bins) in dB to logits (B, classes) of each concept."""
        peak = spectra.amax(dim=(1, 2), keepdim=True)
        maps = self.body(
            ((spectra - peak).clamp_min(FLOOR_DB) / 30 + 1).unsqueeze(1)
        )  # (B, channels, frames, bins)
        pooled = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1).flatten(1)
        return {concept: head(pooled) for concept, head in self.heads.items()}

    def tempo_logits(self, rhythms: torch.Tensor) -> torch.Tensor:
        """From `rhythm` (B, bands, lags) to logits (B, tempos) over `TEMPOS_BPM`."""
        return torch.as_tensor(self.tempo(rhythms.flatten(1)))

    def spectra(self, audio: torch.Tensor) -> torch.Tensor:
        """From audio (B, samples) to (B, frames, mel bins) in dB."""
        return log_mel(audio, self.filters, window_samples=WINDOW_SAMPLES, hop_samples=HOP_SAMPLES)


def _convolution(inputs: int, outputs: int, *, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]


def rhythm(audio: torch.Tensor) -> torch.Tensor:
    """How alike the onsets of a clip are to themselves some time later.

    Args:
        audio: (B, samples) at `SAMPLE_RATE`.

    Returns:
        (B, ONSET_BANDS, lags): autocorrelation of rectified spectral flux per band, 1 at lag 0.
    """
    window = torch.hann_window(ONSET_WINDOW_SAMPLES)
    spectrum = torch.stft(
        audio, ONSET_WINDOW_SAMPLES, ONSET_HOP_SAMPLES, window=window, return_complex=True
    ).abs()
    level = torch.log1p(1_000 * spectrum / spectrum.amax(dim=(1, 2), keepdim=True).clamp_min(1e-6))
    flux = level.diff(dim=2).clamp_min(0.0)
    edges = (1, 8, 24, 80, ONSET_WINDOW_SAMPLES // 2 + 1)  # to 0.25, 0.75, 2.5 and 8 kHz
    bands = torch.stack([flux[:, low:high].sum(1) for low, high in pairwise(edges)], dim=1)
    return _autocorrelation(bands - bands.mean(dim=2, keepdim=True))[..., SHORTEST_LAG:LONGEST_LAG]


def _autocorrelation(signals: torch.Tensor) -> torch.Tensor:
    length = signals.shape[-1]
    power = torch.fft.rfft(signals, 2 * length).abs().square()
    correlation = torch.fft.irfft(power)[..., : max(length, LONGEST_LAG)]
    correlation = functional.pad(correlation, (0, max(0, LONGEST_LAG - correlation.shape[-1])))
    return correlation / correlation[..., :1].clamp_min(1e-6)


def expected_tempo(logits: torch.Tensor) -> torch.Tensor:
    """The tempo in BPM, (B,): mean over the three bins around the likeliest one, weighted by probability."""
    probabilities = logits.softmax(1)
    best = probabilities.argmax(1, keepdim=True)
    near = (best + torch.arange(-1, 2)).clamp(0, len(TEMPOS_BPM) - 1)
    weights = probabilities.gather(1, near)
    return (weights * TEMPOS_BPM[near]).sum(1) / weights.sum(1)
