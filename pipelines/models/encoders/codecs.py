"""Codecs as encoders: latents of EnCodec and DAC before they are quantized."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from pipelines.models.encoders.family import EncoderShape
from pipelines.models.protocol import Point
from store.errors import ModelError
from store.records import SiteInfo

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from store.records import Site


@dataclass(frozen=True, slots=True)
class CodecFamily:
    """Codecs that are a convolutional encoder, a quantizer and a decoder."""

    ratios: str
    """The setting that lists the strides."""
    input_name: str
    """Of the argument of the encoder's forward."""
    has_extractor: bool = False

    def shape(self, config: Any, extractor: Any) -> EncoderShape:
        """Sizes and rates."""
        if getattr(config, "audio_channels", 1) != 1 or getattr(config, "normalize", False):
            raise ModelError("It is a stereo codec, or one that normalises loudness; mono ones are read.")
        rate = int(config.sampling_rate)
        return EncoderShape((SiteInfo("latent", 1, config.hidden_size),), rate, rate / self._hop(config))

    def part(self, model: Any) -> torch.nn.Module:
        """The encoder, before the quantizer."""
        module: torch.nn.Module = model.encoder
        return module

    def inputs(self, config: Any, extractor: Any, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
        """Samples, filled up with silence to whole frames."""
        import torch

        rest = -audio.shape[1] % self._hop(config)
        padded = torch.nn.functional.pad(torch.from_numpy(audio), (0, rest))
        return {self.input_name: padded[:, None]}

    def point(self, part: Any, config: Any, site: Site, layer: int) -> Point:
        """What the encoder gives."""
        return Point(part, view=_in_time)

    def _hop(self, config: Any) -> int:
        return prod(getattr(config, self.ratios))


def _in_time(latents: torch.Tensor) -> torch.Tensor:
    return latents.transpose(1, 2)
