"""Description of a torch module of a user's own, whose activations are to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch


@dataclass(frozen=True, slots=True)
class Hooked:
    """Modules of one site, and how activations (clips, frames, features) are made of what they give."""

    modules: str
    """Dotted name as in `named_modules()`; `*` stands for one part of it: "blocks.*.mlp". Each is a layer."""
    time_axis: int | None = None
    """Of what they give; None for that of the model. What remains beside clips and time are the features."""
    side: Literal["input", "output"] = "output"
    read: Callable[[Any], torch.Tensor] | None = None
    """Takes the tensor out of what they give; by default that is one, or the first of several."""


@dataclass(frozen=True, slots=True)
class TorchModel:
    """A torch module that hears sound and is read: `MODEL` of a user's file, or what an entry point names."""

    load: Callable[[], torch.nn.Module]
    """Makes the module with its weights: the same ones at every call, on every machine."""
    sites: Mapping[str, str | Hooked]
    """By the name of a site (small letters, digits, _), which modules are hooked."""
    sample_rate: int
    """In Hz, of the audio that it hears."""
    frame_rate: float
    """Frames a second of all sites; frame i is the time from i / frame_rate on."""
    inputs: Callable[[torch.Tensor], Any] | None = None
    """Makes of audio (clips, samples) what the module is called with: a tensor, a tuple of positional or a
    dictionary of named arguments. By default the audio itself."""
    time_axis: int = 1
    """Of what modules give: 1 for (clips, frames, features), 2 for (clips, features, frames)."""
    reach_samples: int = 0
    """Samples that a frame needs, where only whole ones count; 0 where a started frame counts."""
    pads: bool = False
    """Whether frames behind those of a clip are padding, which is left out."""
    max_seconds: float = 60.0
    """The longest clip that it hears."""
    licence: str = ""
    """Of its weights."""

    def hooked(self, site: str) -> Hooked:
        """What is hooked for a site."""
        said = self.sites[site]
        return Hooked(said) if isinstance(said, str) else said
