"""`--alpha auto`: finds strengths on the unsteered twin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobs.generate.edit_options import statistics
from jobs.generate.requests import edit_of
from pipelines.steering.strength import Target, Twin, distortion_matched_cap, in_distribution

if TYPE_CHECKING:
    from jobs.generate.edit_options import ChosenEdits
    from jobs.generate.specification import EditSpec, GenerationSpec
    from pipelines.generation.generate import GeneratedAudio
    from pipelines.models.musicgen import MusicGenModel


@dataclass(frozen=True, slots=True)
class AutomaticStrengths:
    """What was found, and how."""

    edits: tuple[EditSpec, ...]
    cap: float | None
    """Factor by which the distortion-matched cap lowered the strengths; None without a cap."""


def find_strengths(
    model: MusicGenModel,
    spec: GenerationSpec,
    chosen: ChosenEdits,
    unsteered: GeneratedAudio,
    *,
    target_prompt: str | None,
) -> AutomaticStrengths:
    """Bring every automatic edit to the positive class's mean projection, capped by another text's effect.

    Args:
        model: A loaded model.
        spec: Of the generation.
        chosen: Its edits; numbers among their strengths stay.
        unsteered: Its twin.
        target_prompt: The text for the cap; None: no cap.

    Raises:
        InvalidInput: A direction's statistics are not known, or two edits share a layer.
    """
    places = sorted(chosen.automatic)
    specs = [chosen.edits[place] for place in places]
    vectors = [chosen.vectors[edit.vector_id] for edit in specs]
    edits = [edit_of(edit, vector) for edit, vector in zip(specs, vectors, strict=True)]
    known = [statistics(vector) for vector in vectors]
    targets = [Target(positive, deviation) for positive, _, deviation in known]
    twin = Twin(unsteered.codes, spec.text, unsteered.request.prompt_frames)
    found = in_distribution(model, edits, targets, twin)
    cap = None
    if target_prompt is not None:
        cap = distortion_matched_cap(model, found, twin, target_text=target_prompt)
    strengths = {
        place: _rounded(edit.alpha * (1.0 if cap is None else cap))
        for place, edit in zip(places, found, strict=True)
    }
    settled = [
        replace(edit, alpha=strengths.get(place, edit.alpha)) for place, edit in enumerate(chosen.edits)
    ]
    return AutomaticStrengths(tuple(settled), cap)


def _rounded(strength: float) -> float:
    """To four digits: another number of threads must not give another generation."""
    return float(f"{strength:.4g}")
