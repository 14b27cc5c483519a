"""Magnitude and log-mel spectrograms, differentiable, with their windows and filters computed once."""

from functools import lru_cache

import torch
from torch.nn import functional

SAMPLE_RATE = 16_000


def magnitudes(audio: torch.Tensor, *, size: int, hop: int) -> torch.Tensor:
    """|STFT| with a Hann window: (B, 1 + size / 2, frames) of audio (B, samples)."""
    window = _window(size, audio.device)
    spectrum = torch.stft(audio, size, hop, window=window, center=True, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-9)


def mel_spectrum(magnitude: torch.Tensor, *, bands: int) -> torch.Tensor:
    """Mel bands (Slaney's scale and norm) of magnitudes (B, bins, frames)."""
    return torch.matmul(mel_filters(2 * (magnitude.shape[1] - 1), bands, magnitude.device), magnitude)


def log_mel(audio: torch.Tensor, *, size: int = 1024, hop: int = 256, bands: int = 80) -> torch.Tensor:
    """Natural logarithm of mel magnitudes, floored at 1e-5: (B, bands, frames).

    The features of HiFi-GAN (Kong et al. 2020, arXiv:2010.05646), at 16 kHz.
    """
    return torch.log(mel_spectrum(magnitudes(audio, size=size, hop=hop), bands=bands).clamp_min(1e-5))


@lru_cache(maxsize=32)
def _window(size: int, device: torch.device) -> torch.Tensor:
    return torch.hann_window(size, device=device)


@lru_cache(maxsize=32)
def mel_filters(size: int, bands: int, device: torch.device) -> torch.Tensor:
    """(bands, 1 + size / 2)."""
    from librosa.filters import mel

    return torch.from_numpy(mel(sr=SAMPLE_RATE, n_fft=size, n_mels=bands)).to(device)


def padded(audio: torch.Tensor, multiple: int) -> torch.Tensor:
    """Audio (B, samples) with zeros up to the next multiple."""
    return functional.pad(audio, (0, -audio.shape[-1] % multiple))
