"""Options of a generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.steering.edits import Kind, Scaling, SteeredRows


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """The options of `undertone generate`."""

    store: str
    output: Path | None = None
    """None: it is kept in the store alone."""
    prompt: str = ""
    model: str | None = None
    """None: that of the direction, or pocket."""
    seconds: float | None = None
    """None: 10 s, and 5 s more than an audio prompt."""
    seed: int = 0
    audio_prompt: Path | None = None
    audio_start: float = 0.0
    audio_seconds: float | None = None
    """None: 5 s, or what the recording has."""
    melody: Path | None = None
    directions: tuple[str, ...] = ()
    alphas: tuple[str, ...] = ()
    """Numbers or "auto": one for all directions, or one each; none: 0.5, or 1 for an ablation."""
    site: str | None = None
    """None: each direction's own."""
    layers: str | None = None
    """None: each direction's own."""
    kind: Kind = "interpolate"
    scaling: Scaling = "norm"
    schedules: tuple[str, ...] = ()
    """One for all directions, or one each; none: constant."""
    rows: SteeredRows = "conditional"
    steer_prompt: bool = False
    away: bool = False
    foreign: bool = False
    target_prompt: str | None = None
    """Caps automatic strengths by what this text alone would change."""
    monitor: str | None = None
    """THRESHOLD or THRESHOLD:DECAY."""
    guidance: float = 3.0
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    capture: str | None = None
    reduce: str = "mean"
    device: str = "auto"
    threads: int = 1
    dtype: str = "fp32"
