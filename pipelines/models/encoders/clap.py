"""CLAP's HTSAT: a Swin transformer over a folded spectrogram, its stages unfolded to frames in time.

The spectrogram of a window is cut into stretches, which lie one above the other in a square image. Of every
stage the patches of a stretch are averaged over frequency, and over time to the frames of the last stage:
all sites have the same frames. A clip shorter than the window is repeated by the extractor until it is full,
as in training, and the frames of the repetitions are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.models.encoders.family import EncoderShape
from pipelines.models.protocol import Point
from store.records import SiteInfo

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from store.records import Site

STAGE = "stage"
"""What the sites of the stages are called, with a number from 0."""


@dataclass(frozen=True, slots=True)
class ClapFamily:
    """The audio tower of a `ClapModel`."""

    has_extractor: bool = True

    def shape(self, config: Any, extractor: Any) -> EncoderShape:
        """Sizes and rates."""
        audio, rate = config.audio_config, int(extractor.sampling_rate)
        widths = [audio.patch_embeds_hidden_size * 2**stage for stage in range(len(audio.depths))]
        stages = (SiteInfo(f"{STAGE}{number}", 1, width) for number, width in enumerate(widths))
        seconds = extractor.nb_max_samples / rate
        return EncoderShape(
            (SiteInfo("embed", 1, widths[0]), *stages),
            rate,
            _frames(audio) / seconds,
            max_seconds=seconds,
        )

    def part(self, model: Any) -> torch.nn.Module:
        """The audio tower, without its projection."""
        module: torch.nn.Module = model.audio_model
        return module

    def inputs(self, config: Any, extractor: Any, audio: NDArray[np.float32]) -> dict[str, torch.Tensor]:
        """Log-mel spectrograms of whole windows; none counts as cut, which the extractor decides by lot."""
        import torch

        made = extractor(list(audio), sampling_rate=extractor.sampling_rate, return_tensors="pt")
        return {
            "input_features": made["input_features"].float(),
            "is_longer": torch.zeros(len(audio), 1, dtype=torch.bool),
        }

    def point(self, part: Any, config: Any, site: Site, layer: int) -> Point:
        """Stages before their patches are merged."""
        encoder, audio = part.audio_encoder, config.audio_config
        frames, fold = _frames(audio), audio.spec_size // audio.num_mel_bins
        if site == "embed":
            view = partial(_unfolded, grid=encoder.input_resolutions[0], fold=fold, frames=frames)
            return Point(encoder.patch_embed, view=view)
        number = int(site.removeprefix(STAGE))
        view = partial(_unfolded_stage, grid=encoder.input_resolutions[number], fold=fold, frames=frames)
        return Point(encoder.layers[number], view=view)


def _frames(audio: Any) -> int:
    """Frames of a window at the last stage."""
    strides = audio.patch_stride if isinstance(audio.patch_stride, list | tuple) else [audio.patch_stride] * 2
    columns = audio.spec_size // strides[1] // 2 ** (len(audio.depths) - 1)
    return int(columns * (audio.spec_size // audio.num_mel_bins))


def _unfolded_stage(outputs: Any, **where: Any) -> torch.Tensor:
    return _unfolded(outputs[1], **where)


def _unfolded(patches: torch.Tensor, *, grid: tuple[int, int], fold: int, frames: int) -> torch.Tensor:
    """From patches (B, rows · columns, D), `fold` stretches one above the other, to (B, frames, D)."""
    clips, _, width = patches.shape
    rows, columns = grid
    by_time = patches.reshape(clips, fold, rows // fold, columns, width).mean(dim=2)
    return by_time.reshape(clips, frames, fold * columns // frames, width).mean(dim=2)
