"""Random weights for the pocket model that are the same, bit for bit, on every machine.

Uniform numbers come from NumPy's PCG64 as integers, keyed by seed and parameter name, and are scaled by one
float multiplication, which IEEE fixes; routines for normal numbers may differ in the last bit between CPUs.
"""

import math
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import nn

SEED = 20_251_101


def uniform(name: str, shape: tuple[int, ...], *, deviation: float) -> torch.Tensor:
    """A float32 tensor of zero mean and the given standard deviation, decided by its name alone."""
    key = int.from_bytes(sha256(f"{SEED} {name}".encode()).digest()[:8], "little")
    generator = np.random.Generator(np.random.PCG64(key))
    integers = generator.integers(-(2**20), 2**20, size=shape, dtype=np.int32)
    limit = np.float32(deviation * math.sqrt(3.0) / 2**20)
    return torch.from_numpy(integers.astype(np.float32) * limit)


@torch.no_grad()
def fill_transformer(module: nn.Module, prefix: str, *, embedding_deviation: float) -> None:
    """Give matrices a deviation of 1/sqrt(inputs) and embeddings the given one; norms become 1, biases 0.

    Args:
        module: Changed in place.
        prefix: Keeps two modules with equal parameter names apart.
        embedding_deviation: Of token embeddings. With audiocraft's default of 1/sqrt(width) the position
            embedding, whose entries are sines, would drown the tokens.
    """
    embeddings = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        deviation = embedding_deviation if id(parameter) in embeddings else parameter.shape[-1] ** -0.5
        parameter.copy_(uniform(prefix + name, tuple(parameter.shape), deviation=deviation))


@torch.no_grad()
def fill_codec(codec: Any, *, sample_rate: int) -> None:
    """Fill an EnCodec: random convolutions that keep the variance of audio, codebooks as wide as their input.

    With SEANet's own initialisation the time-varying part of the signal vanishes at this size, and all frames
    of all clips get the same code.
    """
    for name, parameter in codec.named_parameters():
        if parameter.ndim == 1:
            parameter.zero_()
        else:
            deviation = parameter[0].numel() ** -0.5
            parameter.copy_(uniform(f"codec.{name}", tuple(parameter.shape), deviation=deviation))
    _fill_codebooks(codec.quantizer, codec.encoder(reference_audio(sample_rate)))


def reference_audio(sample_rate: int, seconds: float = 2.0) -> torch.Tensor:
    """Noise, a sweep, clicks, and chords with harmonics over six octaves: float32 (clips, 1, samples)."""
    time = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    noise = uniform("reference noise", (len(time),), deviation=0.3).double()
    sweep = torch.sin(2 * math.pi * (60 * time + 900 * time**2)) * 0.5
    clicks = noise * torch.exp(-((time * 4) % 1) * 20)
    clips = [noise, sweep, clicks]
    for index, frequency in enumerate((55.0, 110.0, 220.0, 311.1, 440.0, 880.0)):
        partials = torch.zeros_like(time)
        for harmonic in range(1, 7):
            partials += torch.sin(2 * math.pi * frequency * harmonic * time) / harmonic
            partials += torch.sin(3 * math.pi * frequency * harmonic * time) / harmonic
        beat = torch.exp(-((time * (1 + index)) % 1) * 3)
        clips.append(partials * beat * 0.3 + 0.02 * noise)
    return torch.stack(clips).float().unsqueeze(1)


def _fill_codebooks(quantizer: Any, latent: torch.Tensor) -> None:
    """Scale each codebook to what the codebooks before it leave over.

    Deviations are rounded to a coarse grid, so that the last bits of a convolution reach no weight.
    """
    residual = latent
    for index, layer in enumerate(quantizer.vq.layers):
        book = layer._codebook  # noqa: SLF001 — audiocraft offers no other way to the buffers
        deviation = _coarse(float(residual.std()))
        book.embed.copy_(uniform(f"codebook.{index}", tuple(book.embed.shape), deviation=deviation))
        book.embed_avg.copy_(book.embed)
        book.cluster_size.fill_(1.0)
        residual = residual - layer.decode(layer.encode(residual))


def _coarse(value: float) -> float:
    """The nearest of …, 0.5, 0.59, 0.71, 0.84, 1, …: the powers of the fourth root of two."""
    return float(2.0 ** (round(4 * math.log2(value)) / 4))
