"""Transformers over a convolution of the waveform: HuBERT, wav2vec 2.0, WavLM, UniSpeech, data2vec."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from pipelines.models.encoders.family import EncoderShape
from pipelines.models.protocol import Point
from store.records import SiteInfo

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from store.records import Site


@dataclass(frozen=True, slots=True)
class WaveformFamily:
    """Encoders whose blocks have an `attention` and a `feed_forward`."""

    heads: bool = True
    """Whether outputs of heads pass through a module that can be read."""
    has_extractor: bool = True

    def shape(self, config: Any, extractor: Any) -> EncoderShape:
        """Sizes and rates."""
        layers, width = config.num_hidden_layers, config.hidden_size
        sites = [SiteInfo("embed", 1, width)]
        sites += [SiteInfo(name, layers, width) for name in ("resid", "attn")]
        sites += [SiteInfo("head", layers, width, config.num_attention_heads)] if self.heads else []
        sites += [SiteInfo("mlp", layers, width)]
        rate = int(extractor.sampling_rate)
        return EncoderShape(tuple(sites), rate, rate / prod(config.conv_stride), reach_samples=_reach(config))

    def part(self, model: Any) -> torch.nn.Module:
        """All of it."""
        module: torch.nn.Module = model
        return module

    def inputs(self, config: Any, extractor: Any, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
        """Samples, each clip normalised by itself where the model was trained so."""
        made = extractor(list(audio), sampling_rate=extractor.sampling_rate, return_tensors="pt")
        return {"input_values": made["input_values"]}

    def point(self, part: Any, config: Any, site: Site, layer: int) -> Point:
        """Modules of a block; the input of the first is `embed`."""
        block = part.encoder.layers[layer]
        match site:
            case "embed":
                return Point(block, "input")
            case "head":
                return Point(block.attention.out_proj, "input")
            case "attn":
                return Point(block.attention, view=first)
            case "mlp":
                return Point(block.feed_forward)
            case _:
                return Point(block, view=first)


def first(output: Any) -> torch.Tensor:
    """States, whether a module gives them alone or before something else."""
    states: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return states


def _reach(config: Any) -> int:
    """Samples that one frame of the convolutions hears."""
    reach, hop = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        reach += (kernel - 1) * hop
        hop *= stride
    return reach
