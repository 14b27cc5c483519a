"""Random weights for the pocket model that are the same, bit for bit, on every machine.

Uniform numbers come from NumPy's PCG64 as integers, keyed by (seed, parameter name), and are scaled by one float
multiplication, which IEEE fixes; library routines for normal numbers may differ in the last bit between CPUs.
"""

import math
from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import torch
from torch import nn

SEED = 20_251_101


def uniform(name: str, shape: tuple[int, ...], *, deviation: float) -> torch.Tensor:
    """A float32 tensor of zero mean and the given standard deviation, decided by its name alone."""
    key = int.from_bytes(sha256(f"{SEED} {name}".encode()).digest()[:8], "little")
    integers = np.random.Generator(np.random.PCG64(key)).integers(-(2**20), 2**20, size=shape, dtype=np.int32)
    limit = np.float32(deviation * math.sqrt(3.0) / 2**20)
    return torch.from_numpy(integers.astype(np.float32) * limit)


@torch.no_grad()
def fill_transformer(module: nn.Module, prefix: str, *, embedding_deviation: float) -> None:
    """Matrices get a deviation of 1/sqrt(inputs), embeddings the given one; norms 1, biases 0.

    Args:
        module: Changed in place; every parameter that has not been frozen by name is set.
        prefix: Keeps two modules with equal parameter names apart.
        embedding_deviation: Of token embeddings. audiocraft's default of 1/sqrt(width) would leave the position
            embedding, whose entries are sines, to drown the tokens.
    """
    embeddings = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    for name, parameter in module.named_parameters():
        if parameter.ndim < 2:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        spread = embedding_deviation if id(parameter) in embeddings else parameter.shape[-1] ** -0.5
        parameter.copy_(uniform(prefix + name, tuple(parameter.shape), deviation=spread))


@torch.no_grad()
def fill_codec(codec: nn.Module, *, sample_rate: int) -> None:
    """Random convolutions rescaled so that audio keeps its variance, then codebooks of the residual's size.

    SEANet's own initialisation lets the time-varying part of the signal vanish at this size (every frame the same
    code), so each convolution is scaled to unit deviation on reference audio, and each latent channel centred.
    """
    for name, parameter in codec.named_parameters():
        if parameter.ndim == 1:
            parameter.zero_()
        else:
            inputs = parameter[0].numel()
            parameter.copy_(uniform(f"codec.{name}", tuple(parameter.shape), deviation=inputs**-0.5))
    audio = reference_audio(sample_rate)
    latent = _normalise_convolutions(codec.encoder, audio)
    _fill_codebooks(codec.quantizer, latent)
    _normalise_convolutions(
        codec.decoder, codec.quantizer.decode(codec.quantizer.encode(latent)), deviation=0.1
    )


def reference_audio(sample_rate: int, seconds: float = 2.0) -> torch.Tensor:
    """Sweeps, chords with harmonics, clicks and noise at several loudnesses: float32 (clips, 1, samples)."""
    time = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    noise = uniform("reference noise", (len(time),), deviation=0.3).double()
    sweep = torch.sin(2 * math.pi * (60 * time + 900 * time**2)) * 0.5
    clicks = noise * torch.exp(-((time * 4) % 1) * 20)
    clips = [noise, sweep, clicks]
    for index, frequency in enumerate((55.0, 110.0, 220.0, 311.1, 440.0, 880.0)):
        partials = sum(torch.sin(2 * math.pi * frequency * n * time) / n for n in range(1, 7))
        fifth = sum(torch.sin(3 * math.pi * frequency * n * time) / n for n in range(1, 7))
        beat = torch.exp(-((time * (1 + index)) % 1) * 3)
        clips.append((partials + fifth) * beat * 0.3 + 0.02 * noise)
    return torch.stack(clips).float().unsqueeze(1)


def _normalise_convolutions(
    network: nn.Module, inputs: torch.Tensor, *, deviation: float = 1.0
) -> torch.Tensor:
    """One pass in which every convolution rescales itself; the last one also per channel, with a bias.

    Factors are rounded to a coarse grid, so that the last bits of a machine's convolution cannot reach a weight.
    """
    convolutions = list(_convolutions(network))

    def rescale(module: nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
        factor = _coarse(deviation if module is convolutions[-1] else 1.0) / _coarse(float(output.std()))
        module.weight.mul_(factor)
        return output * factor

    handles = [convolution.register_forward_hook(rescale) for convolution in convolutions]
    try:
        network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return network(inputs)


def _convolutions(network: nn.Module) -> Iterator[nn.Module]:
    return (part for part in network.modules() if isinstance(part, nn.Conv1d | nn.ConvTranspose1d))


def _fill_codebooks(quantizer: nn.Module, latent: torch.Tensor) -> None:
    residual = latent
    for index, layer in enumerate(quantizer.vq.layers):
        book = layer._codebook
        spread = _coarse(float(residual.std()))
        book.embed.copy_(uniform(f"codebook.{index}", tuple(book.embed.shape), deviation=spread))
        book.embed_avg.copy_(book.embed)
        book.cluster_size.fill_(1.0)
        residual = residual - layer.decode(layer.encode(residual))


def _coarse(value: float) -> float:
    """The nearest of …, 0.5, 0.59, 0.71, 0.84, 1, …: powers of the fourth root of two."""
    return 2.0 ** (round(4 * math.log2(value)) / 4)
