"""Choose the strength α without a grid (an open question of arXiv:2506.10225).

Three answers, which can be combined:

- *In-distribution target*: the strength at which the mean projection on the direction becomes that of the
  positive class, μ₊ + k σ. Closed form, from what is stored with the direction and what the layer holds when
  nothing is steered.
- *Distortion-matched cap*: the strength at which the last layer moves as far as a change of the text alone
  would move it (after TADA, arXiv:2602.11910, with distance in activations instead of LPAPS).
- *Self-monitor*: `pipelines.steering.edits.Monitor`, which eases off while the generation is made.

The first two look at one unsteered generation, the twin, and cost teacher-forced passes over its codes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from pipelines.capture import CaptureSpec, forward_activations
from pipelines.steering.edits import Edit, Scaling, Steering
from pipelines.steering.steer import steer
from store.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.models.protocol import LoadedModel
    from pipelines.steering.steer import SteeringState

LARGEST = 2.0
"""No automatic strength goes beyond: the direction then makes up two thirds of the activation."""
HALVINGS = 8
"""Of the interval in which a cap is looked for: it is found to LARGEST / 2^8."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the projections on a direction are to be brought."""

    mean_positive: float
    """μ₊: mean projection of the positive class, in units of activations."""
    deviation: float
    """σ of the projections within a class."""
    deviations: float = 0.0
    """k: aim at μ₊ + k σ."""

    @property
    def projection(self) -> float:
        """The projection that is aimed at."""
        return self.mean_positive + self.deviations * self.deviation


@dataclass(frozen=True, slots=True)
class Twin:
    """An unsteered generation to look at."""

    codes: NDArray[np.integer]
    """(K, T)"""
    text: str
    prompt_frames: int = 0
    melody: NDArray[np.float32] | None = None
    """Samples (samples,) of the melody that it follows."""


def alpha_for_projection(
    target: float, *, projection: float, norm: float, scaling: Scaling = "norm"
) -> float:
    """The α at which the edit brings a projection to a target; 0 where it is there already.

    From r̂ᵀh' = (r̂ᵀh + α s)/(1 + α), with s = ‖h‖ for "norm" and 1 for "unit"; "norm_restored" brings the
    length back, so its projection is that of the cosine: c* = (c + α)/√(1 + 2cα + α²).

    Args:
        target: p*, the projection aimed at.
        projection: p, r̂ᵀh as it is.
        norm: ‖h‖.
        scaling: Of the edit.

    Returns:
        α from 0 to LARGEST; LARGEST where no strength reaches the target.
    """
    if target <= projection:
        return 0.0
    if scaling == "norm_restored":
        return _alpha_for_cosine(target / norm, projection / norm)
    reach = norm if scaling == "norm" else 1.0
    return min(LARGEST, (target - projection) / (reach - target)) if target < reach else LARGEST


def in_distribution(
    model: LoadedModel, edits: Sequence[Edit], targets: Sequence[Target], twin: Twin
) -> list[Edit]:
    """The edits with the strengths that bring each to its target, layer by layer from below.

    Each layer is measured with the layers below steered already, so that what they do is not done again.

    Args:
        model: A loaded model.
        edits: Of the kind "interpolate", at one site, with any strength; at most one per layer.
        targets: One per edit.
        twin: What the same request gives without edits.

    Raises:
        InvalidInput: Two edits at one layer: their strengths would depend on each other.
    """
    if len({edit.layer for edit in edits}) < len(edits):
        raise InvalidInput("An automatic strength needs one direction per layer; give a number for fusions.")
    settled: dict[int, Edit] = {}
    for edit, target in sorted(zip(edits, targets, strict=True), key=lambda pair: pair[0].layer):
        projection, norm = _measure(model, edit, list(settled.values()), twin)
        alpha = alpha_for_projection(
            target.projection, projection=projection, norm=norm, scaling=edit.scaling
        )
        settled[edit.layer] = replace(edit, alpha=alpha / edit.weight)
    return [settled[edit.layer] for edit in edits]


def distortion_matched_cap(
    model: LoadedModel, edits: Sequence[Edit], twin: Twin, *, target_text: str
) -> float:
    """The largest factor on all strengths that moves the last layer no farther than another text does.

    Args:
        model: A loaded model.
        edits: With the strengths that are to be capped.
        twin: What the same request gives without edits.
        target_text: The text that asks for what the edits are to bring about.

    Returns:
        A factor from 0 to 1.
    """
    allowed = text_distortion(model, twin, target_text)
    return _largest(lambda factor: edit_distortion(model, scaled(edits, factor), twin) <= allowed)


def text_distortion(model: LoadedModel, twin: Twin, text: str) -> float:
    """How far another text moves the last layer over the same codes, relative to its length."""
    return _distance(_last_layer(model, twin, text), _last_layer(model, twin, twin.text))


def edit_distortion(model: LoadedModel, edits: Sequence[Edit], twin: Twin) -> float:
    """How far edits move the last layer over the same codes, relative to its length."""
    plain = _last_layer(model, twin, twin.text)
    with _steered(model, edits, twin):
        return _distance(_last_layer(model, twin, twin.text), plain)


def scaled(edits: Sequence[Edit], factor: float) -> list[Edit]:
    """The edits with all strengths multiplied."""
    return [replace(edit, alpha=edit.alpha * factor) for edit in edits]


def _alpha_for_cosine(target: float, cosine: float) -> float:
    """α = c*·√((1 − c²)/(1 − c*²)) − c, the solution of (c + α)² = c*²(1 + 2cα + α²)."""
    if target >= 1:
        return LARGEST
    return min(LARGEST, target * math.sqrt((1 - cosine**2) / (1 - target**2)) - cosine)


def _measure(model: LoadedModel, edit: Edit, below: Sequence[Edit], twin: Twin) -> tuple[float, float]:
    """Mean projection and mean length at the place of an edit, over the generated frames of the twin."""
    spec = CaptureSpec((edit.site,), (edit.layer,), ("frames",))
    with _steered(model, below, twin):
        frames = _passed(model, spec, twin, twin.text)[f"{edit.site}.frames"]
    rows = frames[0, 0, _generated(model, twin) :].double().cpu()
    unit = torch.tensor(edit.vector, dtype=torch.float64)
    return float((rows @ unit).mean()), float(rows.norm(dim=-1).mean())


def _last_layer(model: LoadedModel, twin: Twin, text: str) -> torch.Tensor:
    """Activations of the generated frames (rows, D) at the end of the decoder."""
    spec = CaptureSpec(("resid",), (model.info.layers - 1,), ("frames",))
    frames = _passed(model, spec, twin, text)["resid.frames"]
    return frames[0, 0, _generated(model, twin) :]


def _passed(model: LoadedModel, spec: CaptureSpec, twin: Twin, text: str) -> dict[str, torch.Tensor]:
    """Activations of a pass over the twin's codes, with another text or its own."""
    return forward_activations(model, twin.codes[None], spec, [text], melody=twin.melody)


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean ‖a − b‖ over mean ‖b‖."""
    return float((one - other).norm(dim=-1).mean() / other.norm(dim=-1).mean())


def _generated(model: LoadedModel, twin: Twin) -> int:
    """The first kept row at which a frame beyond the audio prompt is predicted."""
    return max(0, twin.prompt_frames - model.alignment(twin.codes.shape[-1]).first_step)


def _steered(model: LoadedModel, edits: Sequence[Edit], twin: Twin) -> AbstractContextManager[SteeringState]:
    frames = twin.codes.shape[-1]
    return steer(model, Steering(tuple(edits)), frames=frames, prompt_frames=twin.prompt_frames)


def _largest(fits: Callable[[float], bool]) -> float:
    """The largest factor that fits, by halving; distortion grows with the strength."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
