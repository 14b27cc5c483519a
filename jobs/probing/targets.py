"""What ridge probes are asked to predict: one-hot classes and numbers, true and shuffled, as columns."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.controls import shuffled_by_group
from analysis.moments import Floats
from jobs.fitting.labels import Concept
from jobs.probing.plan import Coverage


@dataclass(frozen=True, slots=True)
class Targets:
    """Columns for all concepts of a coverage."""

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


def labellings(concept: Concept, coverage: Coverage, *, controls: int, seed: int) -> NDArray[Any]:
    """True labels, then labels shuffled over groups, (1 + controls, n)."""
    shuffled = [
        shuffled_by_group(concept.values, coverage.groups, random_seed=seed + place)
        for place in range(controls)
    ]
    return np.stack([concept.values, *shuffled])


@lru_cache(maxsize=16)
def ridge_targets(coverage: Coverage, *, controls: int, seed: int) -> Targets:
    """One-hot columns per class, or the numbers themselves, for every concept and control."""
    learned = tuple(
        labellings(concept, coverage, controls=controls, seed=seed) for concept in coverage.concepts
    )
    blocks, sharing = [], []
    for concept, labels in zip(coverage.concepts, learned, strict=True):
        for values in labels:
            blocks.append(_columns(concept, values))
            sharing += [len(blocks) - 1] * blocks[-1].shape[1]
    return Targets(np.concatenate(blocks, axis=1), np.array(sharing, dtype=np.int64), learned)


def _columns(concept: Concept, values: NDArray[Any]) -> Floats:
    if concept.kind == "number":
        return np.asarray(values[:, np.newaxis], dtype=np.float64)
    return np.asarray(values[:, np.newaxis] == np.arange(len(concept.classes)), dtype=np.float64)
