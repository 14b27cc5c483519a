"""Interface of a model: a named checkpoint that can be found, and the operations of a loaded one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from pipelines.models.conditions import Conditions
    from pipelines.models.delay import Alignment
    from store.records import ModelInfo


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model by name: what an entry point of undertone.models names.

    Its checkpoint is in audiocraft's format (`state_dict.bin`, `compression_state_dict.bin`), which is the
    one back-end there is. Stores know a model by the fingerprint of its weights, so that changed ones never
    pass for the old.
    """

    folder: Callable[[], Path]
    """Where the checkpoint lies; it may be made or fetched at the first call."""


class LoadedModel(Protocol):
    """A loaded model: B clips, K codebooks, T codec frames, S decoder steps, width D, layers 0 … L−1."""

    @property
    def info(self) -> ModelInfo:
        """What is known without loading it: sizes, rates in Hz, the fingerprint of its weights."""

    @property
    def blocks(self) -> Any:
        """The decoder's blocks in order, each a torch module that `capture` and `steer` hook."""

    def frames(self, clip_seconds: float) -> int:
        """T of a clip of that length in seconds; a started frame counts."""

    def alignment(self, frames: int) -> Alignment:
        """Which decoder steps belong to which frames."""

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """From float audio (B, 1, samples) at `info.sample_rate` to int16 tokens (B, K, T), before any delay.

        Raises:
            InvalidInput: the audio has another shape.
        """

    def forward(self, codes: torch.Tensor, conditions: Conditions) -> torch.Tensor:
        """The teacher-forced pass over tokens (B, K, T): hidden states (B, P + S, D) behind P conditions."""
