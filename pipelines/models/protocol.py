"""Interface of a model: points that can be read and edited, and what can be done with it.

A back-end gives objects that fulfil `LoadedModel`, and `GeneratingModel` where they generate. Letters: B
clips, K codebooks, T codec frames, S decoder steps, P conditions that stand before them, D features, layers
0 … L−1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pipelines.models.delay import Alignment
    from store.records import ModelInfo, Site


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model by name: what an entry point of undertone.models names.

    Its checkpoint is in audiocraft's format (`state_dict.bin`, `compression_state_dict.bin`) or in that of
    transformers (`config.json`, `model.safetensors`), which decides what computes it. Stores know a model by
    the fingerprint of its weights, so that changed ones never pass for the old.
    """

    folder: Callable[[], Path]
    """Where the checkpoint lies; it may be made or fetched at the first call."""


class PassLeft(Exception):
    """A hook leaves the pass that it is called in: everything wanted of it was seen."""


Conditions = Mapping[str, "tuple[torch.Tensor, torch.Tensor]"]
"""By conditioner: embedding (B, steps, D) and mask (B, steps)."""

Melody: TypeAlias = "NDArray[np.float32] | Sequence[NDArray[np.float32] | None] | None"
"""Samples (samples,) at the model's rate that all clips follow, or such samples for each clip."""

Hook = Any
"""What undoes a registration: torch's handle, with `remove()`."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where a site's activations of one layer, (rows, P + steps, D), pass through a model."""

    module: torch.nn.Module
    side: Literal["input", "output"] = "output"
    element: int | None = None
    """Which of several; None for the first input, or an output that is the tensor itself."""
    view: Callable[[Any], torch.Tensor] | None = None
    """Gives the activations (rows, steps, D) of what passes in another form, to be read and never edited."""

    def hook(self, see: Callable[[torch.Tensor], torch.Tensor | None]) -> Hook:
        """Show `see` every activation; what it returns, unless it is None, takes its place."""
        if self.side == "input":
            return self.module.register_forward_pre_hook(self._before(see))
        return self.module.register_forward_hook(self._after(see))

    def _before(self, see: Callable[[torch.Tensor], torch.Tensor | None]) -> Callable[..., Any]:
        place = self.element or 0

        def hook(_: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if self.view is not None:
                see(self.view(inputs[place]))
                return None
            changed = see(inputs[place])
            return None if changed is None else (*inputs[:place], changed, *inputs[place + 1 :])

        return hook

    def _after(self, see: Callable[[torch.Tensor], torch.Tensor | None]) -> Callable[..., Any]:
        place = self.element

        def hook(_: Any, __: Any, output: Any) -> Any:
            if self.view is not None:
                see(self.view(output))
                return None
            if place is None:
                return see(output)
            changed = see(output[place])
            return None if changed is None else (*output[:place], changed, *output[place + 1 :])

        return hook


@dataclass(frozen=True, slots=True)
class Pass:
    """Where a pass through a model is, as it begins."""

    steps: int
    """Steps of this pass, without what stands before them."""
    prepended: int
    """P: steps of the conditions that stand before the steps of this very pass."""
    first_step: int
    """Its first step, counted from the first pass of the `streaming` block around it; outside 0."""


class Conditioner(Protocol):
    """Turns texts and melodies into conditions; a clip's never depend on those of its neighbours."""

    def encode(self, text: str) -> Conditions:
        """Conditions of one text, B = 1; an empty text is no condition at all."""

    def encode_melody(self, text: str, melody: NDArray[np.float32]) -> Conditions:
        """Conditions of one text and one melody, samples (samples,) at the model's rate.

        Raises:
            ModelError: the model takes no melody.
        """

    def groups(self, texts: Sequence[str], melody: Melody = None) -> list[tuple[list[int], Conditions]]:
        """Split a batch into parts with equally long conditions: (positions in the batch, conditions).

        Args:
            texts: One per clip.
            melody: That all clips follow, as for `encode_melody`; or one for each, None for none.
        """

    def dropped(self, conditions: Conditions) -> Conditions:
        """What stands for no condition at the same lengths: of rows without, in classifier-free guidance."""


class ReadableModel(Protocol):
    """A loaded model whose activations can be read: what decoders and encoders have in common."""

    @property
    def info(self) -> ModelInfo:
        """What is known without loading it: sites, sizes, rates in Hz, the fingerprint of its weights."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    @property
    def dtype(self) -> torch.dtype:
        """Of its matrices."""

    @property
    def backend(self) -> str:
        """What computes: a library, its version and what else decides how it rounds."""

    def frames(self, clip_seconds: float) -> int:
        """T of a clip of that length in seconds; a started frame counts."""

    def alignment(self, frames: int) -> Alignment:
        """Which steps of a whole pass belong to which frames."""

    def point(self, site: Site, layer: int) -> Point:
        """Where the activations of a site of `info.sites` pass.

        Raises:
            InvalidInput: the model has no such site or layer.
        """

    def on_pass(self, see: Callable[[Pass], None]) -> Hook:
        """Call `see` whenever a pass begins, before the first point is reached, until the hook is removed."""


class AudioEncoder(ReadableModel, Protocol):
    """A loaded model that hears and is read: it has no codes, and neither generates nor is steered."""

    def hear(self, audio: torch.Tensor) -> None:
        """One pass over float audio (B, 1, samples) at `info.sample_rate`, all clips equally long.

        Raises:
            InvalidInput: the audio has another shape, or is too short.
        """


class LoadedModel(ReadableModel, Protocol):
    """A loaded model that is run over the codes of clips, read, and edited."""

    @property
    def conditions(self) -> Conditioner:
        """Its conditioner."""

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """From float audio (B, channels, samples) at `info.sample_rate` to int16 tokens (B, K, T), undelayed.

        Raises:
            InvalidInput: the audio has another shape.
        """

    def forward(self, codes: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """The teacher-forced pass over tokens (B, K, T): states (B, P + S, D) before the final norm."""


class GeneratingModel(LoadedModel, Protocol):
    """A loaded model that generates: its loop is `pipelines.generation`, for all models the same."""

    @property
    def special_token(self) -> int:
        """Stands where a delayed codebook holds no token yet."""

    def streaming(self, *, steps: int, conditions: Conditions) -> AbstractContextManager[None]:
        """Within the block, calls of `next_logits` continue one another.

        Args:
            steps: Most that all of them make together, without P.
            conditions: The same in every call.
        """

    def next_logits(self, tokens: torch.Tensor, conditions: Conditions, *, copies: int) -> torch.Tensor:
        """Logits (copies · B, K, V), before any guidance, of the step that follows.

        Args:
            tokens: Delayed tokens (B, K, steps) that follow those of the calls before.
            conditions: Of all rows, copies · B.
            copies: How often the batch is passed, one copy below the other: 2 for classifier-free guidance.
        """

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Float audio (B, channels, samples) of tokens (B, K, T)."""


def as_encoder(model: ReadableModel) -> AudioEncoder | None:
    """The same model where it hears audio itself; None where it runs over codes."""
    return None if model.info.codebooks else cast("AudioEncoder", model)


def with_codes(model: ReadableModel) -> LoadedModel:
    """The same model, once it is known to run over codes.

    Raises:
        InvalidInput: it does not.
    """
    model.info.require("encode")
    return cast("LoadedModel", model)


def generating(model: LoadedModel) -> GeneratingModel:
    """The same model, once it is known to generate.

    Raises:
        InvalidInput: it does not.
    """
    model.info.require("generate")
    return cast("GeneratingModel", model)


def check_layer(info: ModelInfo, site: Site, layer: int) -> None:
    """Raise InvalidInput where a model has no such site, or no such layer of it."""
    count = info.site(site).layers
    if not 0 <= layer < count:
        raise InvalidInput(
            f"{info.name!r} has no site {site!r} at layer {layer} (layers 0–{count - 1}"
            f"{'; it is the input of layer 0' if site == 'embed' else ''})."
        )
