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
    """Columns for all concepts of the same rows."""

    columns: Floats
    """(n, R)."""
    sharing: NDArray[np.int64]
    """Number of the labelling each column belongs to, (R,): its columns share a strength."""
    labellings: tuple[NDArray[Any], ...]
    """Per concept the labels that are learned, (1 + controls, n): true ones, then shuffled ones."""

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
    """One-hot columns per class, or the numbers themselves, for every concept and control."""
    learned = tuple(labellings(concept, groups, controls=controls, seed=seed) for concept in concepts)
    blocks, sharing = [], []
    for concept, labels in zip(concepts, learned, strict=True):
        for values in labels:
            blocks.append(_columns(concept, values))
            sharing += [len(blocks) - 1] * blocks[-1].shape[1]
    return Targets(np.concatenate(blocks, axis=1), np.array(sharing, dtype=np.int64), learned)


def _columns(concept: Concept, values: NDArray[Any]) -> Floats:
    if concept.kind == "number":
        return np.asarray(values[:, np.newaxis], dtype=np.float64)
    return np.asarray(values[:, np.newaxis] == np.arange(len(concept.classes)), dtype=np.float64)
