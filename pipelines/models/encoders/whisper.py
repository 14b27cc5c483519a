"""Whisper's encoder, which hears a window of silence behind every clip: only the clip's frames are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.models.encoders.family import EncoderShape
from pipelines.models.encoders.waveforms import first
from pipelines.models.protocol import Point
from store.errors import ModelError
from store.records import SiteInfo

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from store.records import Site

STRIDE = 2
"""Frames of the spectrogram for one of the encoder, by its second convolution."""


@dataclass(frozen=True, slots=True)
class WhisperFamily:
    """Whisper without its decoder."""

    has_extractor: bool = True

    def shape(self, config: Any, extractor: Any) -> EncoderShape:
        """Sizes and rates."""
        layers, width = config.encoder_layers, config.d_model
        hop, rate = extractor.hop_length * STRIDE, int(extractor.sampling_rate)
        if extractor.n_samples != config.max_source_positions * hop:
            raise ModelError(
                f"Its preprocessor_config.json makes windows of {extractor.n_samples} samples, and its "
                f"config.json expects {config.max_source_positions * hop}: they belong to two models."
            )
        sites = (
            SiteInfo("embed", 1, width),
            SiteInfo("resid", layers, width),
            SiteInfo("attn", layers, width),
            SiteInfo("head", layers, width, config.encoder_attention_heads),
            SiteInfo("mlp", layers, width),
        )
        return EncoderShape(sites, rate, rate / hop, max_seconds=extractor.n_samples / rate)

    def part(self, model: Any) -> torch.nn.Module:
        """The encoder."""
        module: torch.nn.Module = model.get_encoder()
        return module

    def inputs(self, config: Any, extractor: Any, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
        """Log-mel spectrograms of whole windows."""
        made = extractor(list(audio), sampling_rate=extractor.sampling_rate, return_tensors="pt")
        return {"input_features": made["input_features"]}

    def point(self, part: Any, config: Any, site: Site, layer: int) -> Point:
        """Modules of a block; the input of the first is `embed`."""
        block = part.layers[layer]
        match site:
            case "embed":
                return Point(block, "input", view=first)
            case "head":
                return Point(block.self_attn.out_proj, "input", view=first)
            case "attn":
                return Point(block.self_attn, view=first)
            case "mlp":
                return Point(block.fc2, view=first)
            case _:
                return Point(block, view=first)
