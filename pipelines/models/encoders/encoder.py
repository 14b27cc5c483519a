"""An audio encoder of transformers as a model that is read: load it, run it over clips, hook its sites."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from pipelines.models.delay import Alignment, frames_of, planned_alignment
from pipelines.models.encoders.described import describe_encoder, unread
from pipelines.models.encoders.remote_code import refuse_unknown_blocks
from pipelines.models.encoders.waveforms import first
from pipelines.models.protocol import Pass, Point, check_layer
from store.errors import InvalidInput, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.models.checkpoints import Checkpoint
    from pipelines.models.encoders.family import EncoderFamily
    from pipelines.models.protocol import AudioEncoder, Hook
    from store.records import ModelInfo, Site

UNUSED = ("masked_spec_embed",)
"""Weights that training alone needs."""


def load_encoder(checkpoint: Checkpoint, *, device: str, dtype: str) -> TransformersEncoder:
    """Load an encoder; its weights stay float32, and a lower type is that of autocast.

    Raises:
        ModelError: a file is missing or damaged, weights are lacking or no numbers.
    """
    from pipelines.scorers.clap_transformers import quiet_transformers

    described = describe_encoder(checkpoint)
    try:
        with quiet_transformers():
            from transformers import AutoModel

            model, loading = AutoModel.from_pretrained(
                checkpoint.folder,
                local_files_only=True,
                trust_remote_code=checkpoint.trusted,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:
        raise unread(checkpoint.folder, error) from error
    missing = sorted(name for name in loading["missing_keys"] if not name.endswith(UNUSED))
    if missing:
        raise ModelError(
            f"The encoder in {checkpoint.folder} lacks {len(missing)} weights, for example {missing[0]}."
        )
    part = described.family.part(model)
    if described.info.trust_remote_code:
        refuse_unknown_blocks(checkpoint.name, part)
    for name, weight in part.named_parameters():
        if not torch.isfinite(weight).all():
            raise ModelError(f"{checkpoint.name!r} holds NaN or infinity in {name}: copy its weights again.")
    return TransformersEncoder(
        info=described.info,
        part=part.to(device).eval().requires_grad_(requires_grad=False),
        family=described.family,
        config=described.config,
        extractor=described.extractor,
        device=torch.device(device),
        dtype=getattr(torch, dtype),
    )


if TYPE_CHECKING:

    def _fulfils(model: TransformersEncoder) -> AudioEncoder:
        return model


@dataclass(slots=True)
class _Now:
    frames: int = 0
    """Of the clips that pass; what follows is padding."""


@dataclass(frozen=True, slots=True, repr=False)
class TransformersEncoder:
    """A loaded encoder: transformers' own modules, and what is known of them."""

    info: ModelInfo
    part: Any
    """The module that hears."""
    family: EncoderFamily
    config: Any
    extractor: Any
    device: torch.device
    dtype: torch.dtype
    library: str = "transformers"
    """Whose modules compute."""
    _now: _Now = field(default_factory=_Now)

    def __repr__(self) -> str:
        info, dtype = self.info, str(self.dtype).removeprefix("torch.")
        return (
            f"Encoder {info.name!r} of {self.library} ({', '.join(info.site_names)}; {info.frame_rate:g} "
            f"frames/s, {dtype} on {self.device})"
        )

    @property
    def backend(self) -> str:
        """What computes: the library and its version."""
        return f"{self.library} {import_module(self.library).__version__}"

    def frames(self, clip_seconds: float) -> int:
        """T: frames of a clip of that length."""
        return frames_of(self.info, clip_seconds)

    def alignment(self, frames: int) -> Alignment:
        """Every frame is a row."""
        return planned_alignment((), frames)

    def point(self, site: Site, layer: int) -> Point:
        """Where the activations of a site and layer pass; they are read, never edited.

        Raises:
            InvalidInput: The model has no such site or layer.
        """
        check_layer(self.info, site, layer)
        point = self.family.point(self.part, self.config, site, layer)
        view = point.view or first
        return replace(point, view=lambda output: view(output)[:, : self._now.frames])

    def on_pass(self, see: Callable[[Pass], None]) -> Hook:
        """Call `see` as each pass of `hear` begins."""
        return self.part.register_forward_pre_hook(lambda *_: see(Pass(self._now.frames, 0, 0)))

    def hear(self, audio: torch.Tensor) -> None:
        """One pass over float audio (B, 1, samples) at the encoder's rate, all clips equally long."""
        if audio.ndim != 3 or audio.shape[1] != 1:
            raise InvalidInput(f"Audio must be mono, of shape (B, 1, samples), not {tuple(audio.shape)}.")
        samples = audio[:, 0].to("cpu", torch.float32).numpy()
        self._now.frames = self.frames(samples.shape[1] / self.info.sample_rate)
        planned_alignment((), self._now.frames)  # refuses clips without a frame
        inputs = self.family.inputs(self.config, self.extractor, samples)
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32),
        ):
            self.part(**{name: value.to(self.device) for name, value in inputs.items()})
