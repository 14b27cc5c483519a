"""Scores of a sweep's generations as arrays, and how far each scorer can be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.effects.audio_distances import ReferenceSet
from analysis.group_intervals import interval_of, share_belief

Floats = NDArray[np.floating[Any]]
ScoreKey = tuple[str, str, str, str]
"""Scorer, concept, class, measure; "" where one does not apply."""
FEWEST_CLIPS = 2


@dataclass(frozen=True, slots=True)
class ScorerAccuracy:
    """What a scorer makes of labelled recordings of one concept."""

    scorer: str
    scorer_version: str
    concept: str
    clips: int = 0
    groups: int = 0
    classes: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    unknown: tuple[str, ...] = ()

    @property
    def above_chance(self) -> bool | None:
        """Whether its accuracy is above that of always naming one class; None where unknown."""
        return None if self.low is None or self.chance is None else self.low > self.chance

    def unsure_of(self, name: str) -> bool:
        """Whether what it says of a class means nothing."""
        return self.above_chance is False or name in self.unknown


def accuracy_of(
    scorer: str,
    version: str,
    concept: str,
    hits: NDArray[np.bool_],
    *,
    labels: Sequence[Any] | NDArray[Any],
    groups: Sequence[Any] | NDArray[Any],
    unknown: Sequence[str] = (),
) -> ScorerAccuracy:
    """Accuracy of a scorer that named the class of some clips (n,) rightly or not.

    Args:
        scorer: its name.
        version: which one.
        concept: what it was asked.
        hits: whether it named the class of each clip.
        labels: of each clip.
        groups: of each clip.
        unknown: classes whose words it does not know.
    """
    counts = np.unique(np.asarray(labels, str), return_counts=True)[1]
    known = {"clips": len(hits), "groups": len(np.unique(np.asarray(groups, str))), "classes": len(counts)}
    if len(hits) < FEWEST_CLIPS or len(counts) < 2:
        return ScorerAccuracy(scorer, version, concept, **known, unknown=tuple(unknown))
    counted = np.stack([hits, np.ones(len(hits))], axis=1)[..., np.newaxis]
    (low,), (high,) = interval_of([share_belief(np.asarray(groups, str), counted)])
    chance = float(counts.max() / counts.sum())
    return ScorerAccuracy(
        scorer, version, concept, **known, accuracy=float(hits.mean()), low=float(low), high=float(high),
        chance=chance, unknown=tuple(unknown),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Numbers of generations, each kind an array (n,) in the order of `places`, NaN where unknown."""

    places: Mapping[str, int]
    """By generation_id."""
    numbers: Mapping[ScoreKey, Floats]
    similarities: Mapping[tuple[str, str], Mapping[str, float]]
    """By generation and reference: measure → value."""
    embeddings: Floats | None
    """Of the CLAP, (n, E), NaN rows where unknown; None where nobody has listened with one."""
    versions: Mapping[str, str]
    """By scorer, which one: name and version."""
    references: Mapping[str, ReferenceSet] = field(default_factory=dict)
    """By concept, recordings that generations are compared with, as the same CLAP embeds them."""
    accuracies: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By scorer and concept, on labelled recordings."""

    def believed(self, accuracies: Sequence[ScorerAccuracy]) -> "Scores":
        """Without scores of classes that a scorer cannot tell apart: unknown, which is not "no change"."""
        known = {(one.scorer, one.concept): one for one in accuracies}

        def unsure(key: ScoreKey) -> bool:
            one = known.get(key[:2])
            return one is not None and one.unsure_of(key[2])

        numbers = {
            key: np.full(len(column), np.nan) if unsure(key) else column
            for key, column in self.numbers.items()
        }
        found = {key: one.accuracy for key, one in known.items() if one.accuracy is not None}
        return replace(self, numbers=numbers, accuracies=found)

    def scorers(self) -> set[str]:
        """Those that have said something."""
        return {scorer for scorer, *_ in self.numbers}

    def of(self, key: ScoreKey, ids: NDArray[Any]) -> Floats:
        """A number of some generations, in the shape of the ids."""
        return self.numbers[key][self._rows(ids)]

    def embedded(self, ids: NDArray[Any]) -> Floats | None:
        """Embeddings of some generations, (…, E)."""
        return None if self.embeddings is None else np.asarray(self.embeddings[self._rows(ids)])

    def similar(self, measure: str, ids: NDArray[Any], references: NDArray[Any]) -> Floats:
        """Similarity of generations to others, in their shape; a generation is wholly like itself."""
        found = [
            1.0 if one == other else self.similarities.get((one, other), {}).get(measure, np.nan)
            for one, other in zip(ids.ravel(), references.ravel(), strict=True)
        ]
        return np.array(found).reshape(ids.shape)

    def _rows(self, ids: NDArray[Any]) -> NDArray[np.intp]:
        return np.array([self.places[one] for one in ids.ravel()], np.intp).reshape(ids.shape)
