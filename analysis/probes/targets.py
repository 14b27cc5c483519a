"""Targets of ridge probes: one-hot classes and numbers, true and shuffled, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.linear.moments import Floats
from analysis.probes.controls import shuffled_by_group


@dataclass(frozen=True, slots=True)
class Targets:
    """Columns for all concepts of the same rows, made for a block of rows at a time."""

    classes: tuple[int, ...]
    """Of each concept; 0 of numbers."""
    sharing: NDArray[np.int64]
    """Number of the labelling each column belongs to, (R,): its columns share a penalty."""
    labellings: tuple[NDArray[Any], ...]
    """Per concept the labels that are learned, (1 + controls, n): true ones, then shuffled ones."""

    def columns(self, rows: slice = slice(None)) -> Floats:
        """One-hot columns per class, or the numbers themselves, of some rows (n, R)."""
        return np.concatenate(
            [
                _columns(values[rows], classes)
                for classes, labels in zip(self.classes, self.labellings, strict=True)
                for values in labels
            ],
            axis=1,
        )

    def of_concept(self, place: int, predictions: Floats) -> Floats:
        """Predictions (n, R) of one concept's columns, (1 + controls, n, C)."""
        count = len(self.labellings[place])
        first = sum(len(labels) for labels in self.labellings[:place])
        own = (self.sharing >= first) & (self.sharing < first + count)
        chosen = predictions[..., own]
        return np.moveaxis(chosen.reshape(len(chosen), count, -1), 0, 1)


def labellings(concept: Concept, groups: NDArray[Any], *, controls: int, seed: int) -> NDArray[Any]:
    """True labels, then labels shuffled over groups, (1 + controls, n)."""
    shuffled = [
        shuffled_by_group(concept.values, groups, random_seed=seed + place) for place in range(controls)
    ]
    return np.stack([concept.values, *shuffled])


def ridge_targets(concepts: Sequence[Concept], groups: NDArray[Any], *, controls: int, seed: int) -> Targets:
    """Targets of every concept and control."""
    learned = tuple(labellings(concept, groups, controls=controls, seed=seed) for concept in concepts)
    classes = tuple(len(concept.classes) if concept.kind == "class" else 0 for concept in concepts)
    widths = [max(1, own) for own, labels in zip(classes, learned, strict=True) for _ in labels]
    return Targets(classes, np.repeat(np.arange(len(widths)), widths), learned)


def _columns(values: NDArray[Any], classes: int) -> Floats:
    if not classes:
        return np.asarray(values[:, np.newaxis], dtype=np.float64)
    return np.asarray(values[:, np.newaxis] == np.arange(classes), dtype=np.float64)
