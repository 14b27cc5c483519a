"""Augmentations of log-mel spectrograms: level, colour, noise, offset, gaps, coding."""

import math

import torch

Spectra = torch.Tensor
"""float32 (B, frames, mel bins), in dB."""
FLOOR_DB = -100.0


def augment(spectra: Spectra, generator: torch.Generator, *, strength: float = 1.0) -> Spectra:
    """What each clip might as well have been; `strength` 0 changes its offset and level alone."""
    shifted = shift(spectra, generator)
    changed = shifted + coding_errors(spectra, generator)
    changed = changed + colour(spectra, generator)
    changed = erase(add_noise(changed, generator), generator)
    level_db = _uniform(generator, -14.0, 8.0, len(spectra), 1, 1)
    return (shifted + strength * (changed - shifted) + level_db).clamp_min(FLOOR_DB)


def shift(spectra: Spectra, generator: torch.Generator) -> Spectra:
    """Begins each clip somewhere else; what falls off at one end comes in at the other."""
    count, frames, bins = spectra.shape
    offsets = torch.randint(frames, (count, 1), generator=generator)
    places = (torch.arange(frames) + offsets) % frames
    return spectra.gather(1, places.unsqueeze(2).expand(-1, -1, bins))


def coding_errors(spectra: Spectra, generator: torch.Generator) -> Spectra:
    """Errors of up to 5 dB per frame and bin, for two clips in three, as a lossy codec makes them."""
    count, frames, bins = spectra.shape
    coarse = torch.randn(count, 1, (frames + 3) // 4, bins, generator=generator)
    errors = torch.nn.functional.interpolate(coarse, size=(frames, bins), mode="bilinear").squeeze(1)
    deviation_db = (_uniform(generator, -2.5, 5.0, count, 1, 1)).clamp_min(0.0)
    return errors * deviation_db


def colour(spectra: Spectra, generator: torch.Generator) -> Spectra:
    """A smooth equalizer of ± 8 dB or so, and for half of the clips a low-pass."""
    count, _, bins = spectra.shape
    place = torch.arange(bins) / bins
    waves = torch.cos(math.pi * torch.arange(1, 5).unsqueeze(1) * place)
    curve = (torch.randn(count, 4, generator=generator) * 2.5) @ waves
    cutoff = _uniform(generator, 0.4, 1.6, count, 1)
    slope_db = _uniform(generator, 20.0, 120.0, count, 1)
    return (curve - slope_db * (place - cutoff).clamp_min(0.0)).unsqueeze(1)


def add_noise(spectra: Spectra, generator: torch.Generator) -> Spectra:
    """Adds stationary noise, 15 to 70 dB below the loudest place of its clip, tilted at random."""
    count, frames, bins = spectra.shape
    peak = spectra.amax(dim=(1, 2), keepdim=True)
    level = peak - _uniform(generator, 15.0, 70.0, count, 1, 1)
    tilt = _uniform(generator, -15.0, 15.0, count, 1, 1) * (torch.arange(bins) / bins - 0.5)
    # Noise power in one bin is exponentially distributed; a mel band is the mean of a few: half its spread.
    flicker = torch.rand(count, frames, bins, generator=generator).clamp_min(1e-4).log().neg().log10() * 5
    return torch.logaddexp(spectra * _NATURAL, (level + tilt + flicker) * _NATURAL) / _NATURAL


def erase(spectra: Spectra, generator: torch.Generator) -> Spectra:
    """Sets a band and a stretch of each clip to the clip's mean (SpecAugment, Park et al. 2019)."""
    count, frames, bins = spectra.shape
    mean = spectra.mean(dim=(1, 2), keepdim=True)
    gone = _stripe(frames, 48, count, generator).unsqueeze(2) | _stripe(bins, 10, count, generator).unsqueeze(
        1
    )
    return torch.where(gone, mean, spectra)


_NATURAL = math.log(10) / 10
"""From dB to the logarithm of power."""


def _stripe(length: int, widest: int, count: int, generator: torch.Generator) -> torch.Tensor:
    width = torch.randint(widest + 1, (count, 1), generator=generator)
    start = torch.randint(length, (count, 1), generator=generator)
    places = torch.arange(length)
    return (places >= start) & (places < start + width)


def _uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> torch.Tensor:
    return low + (high - low) * torch.rand(*shape, generator=generator)
