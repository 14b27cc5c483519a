"""MusicGens of published shapes with random weights, assembled in memory and straight on the device.

Speed does not depend on what the weights are. Only decoders are measured; the codec is the pocket's, with as
many tokens as they have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pipelines.models.musicgen import MusicGenModel, load_musicgen

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder, and the clip that it is measured with."""

    name: str
    layers: int
    width: int
    heads: int
    frames: int
    """T: a 30-s clip has 1500 at 50 frames per second."""
    codebook_size: int = 2048

    @property
    def block_parameters(self) -> int:
        """Of all blocks: 4 D² for self-attention, 4 for cross-attention, 8 for the two linears."""
        return 16 * self.width**2 * self.layers

    def flops_per_clip(self, steps: int) -> float:
        """A multiply-add counts two; causal attention half its square; cross-attention has few keys."""
        attention = 2 * self.layers * steps**2 * self.width
        cross_keys_and_values = 4 * self.layers * self.width**2 * steps
        return 2 * self.block_parameters * steps - cross_keys_and_values + attention


SMALL = Shape("small", 24, 1024, 16, 1500)
MEDIUM = Shape("medium", 48, 1536, 24, 1500)
LARGE = Shape("large", 48, 2048, 32, 1500)
POCKET = Shape("pocket", 8, 128, 4, 100, codebook_size=256)
TINY = Shape("tiny", 2, 32, 2, 50, codebook_size=256)


def random_model(shape: Shape, *, device: str = "cpu", dtype: str = "float32") -> MusicGenModel:
    """A model of that shape; its text encoder and codec are those of the pocket model."""
    import torch
    from omegaconf import OmegaConf

    from pipelines.models.conditions import ConditionEncoder
    from pipelines.models.loading import assemble_language_model

    pocket = load_musicgen("pocket-random", device=device)
    configuration: Any = OmegaConf.create(OmegaConf.to_container(pocket.language_model.cfg))
    configuration.transformer_lm.update(
        dim=shape.width, num_heads=shape.heads, num_layers=shape.layers, card=shape.codebook_size
    )
    decoder = assemble_language_model(configuration, device=device, dtype=dtype)
    for quantizer in pocket.codec.quantizer.vq.layers:  # so that every token can be decoded
        book = quantizer._codebook  # noqa: SLF001
        book.embed = torch.randn(shape.codebook_size, book.embed.shape[1], device=device)
    return replace(
        pocket,
        info=replace(
            pocket.info,
            name=f"{shape.name}, random weights",
            layers=shape.layers,
            width=shape.width,
            codebook_size=shape.codebook_size,
        ),
        language_model=decoder,
        conditions=ConditionEncoder(decoder.condition_provider, sample_rate=pocket.info.sample_rate),
        dtype=getattr(torch, dtype),
    )


def random_codes(shape: Shape, clips: int, *, seed: int = 0) -> torch.Tensor:
    """int16 (B, 4, T)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, shape.codebook_size, (clips, 4, shape.frames), generator=generator).to(
        torch.int16
    )
