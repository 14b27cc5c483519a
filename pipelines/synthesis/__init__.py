"""Rendered music with known labels: SynTheory's seven concepts and styles, from a General-MIDI SoundFont."""

from pipelines.synthesis.concepts import Concept
from pipelines.synthesis.dataset import CONCEPTS, LABELS, plan_dataset, render_dataset, render_samples

__all__ = ["CONCEPTS", "LABELS", "Concept", "plan_dataset", "render_dataset", "render_samples"]
