"""Differences between families of audio encoders: sites, frames, inputs, and where activations pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pipelines.models.protocol import Point
    from store.records import Site, SiteInfo

LONGEST_SECONDS = 60.0
"""Of a clip, for an encoder that sets no bound itself."""


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Sizes and rates of an encoder, known from its settings alone."""

    sites: tuple[SiteInfo, ...]
    sample_rate: int
    frame_rate: float
    """Frames a second."""
    max_seconds: float = LONGEST_SECONDS
    reach_samples: int = 0
    """Samples that a frame needs, where only whole ones count; 0 where a started frame counts."""


class EncoderFamily(Protocol):
    """Encoders of one architecture; their configuration and feature extractor are transformers' own."""

    @property
    def has_extractor(self) -> bool:
        """Whether a feature extractor (preprocessor_config.json) makes its inputs."""

    def shape(self, config: Any, extractor: Any) -> EncoderShape:
        """Sizes and rates.

        Raises:
            ModelError: this one of the family cannot be read.
        """

    def part(self, model: Any) -> torch.nn.Module:
        """The part of a whole model that hears."""

    def inputs(self, config: Any, extractor: Any, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
        """What `part` is called with, for clips (B, samples) at its rate."""

    def point(self, part: Any, config: Any, site: Site, layer: int) -> Point:
        """Where a site passes; what its view gives is (B, frames, D), padding included."""
