"""Plan clusterings: which clips together, how many clusters, and which labels they are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from jobs.fitting.labels import LabelledRows
from store.errors import InvalidInput
from store.results.parts import digest_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """A concept on the clips of a problem."""

    concept: str
    classes: int
    values: NDArray[np.int64]
    """Class of each clip, (n,)."""
    labels_hash: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Clips that are clustered together: those that the same concepts label."""

    clip_ids: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    ks: tuple[int, ...]
    """Numbers of clusters."""
    own_k: bool
    """Whether each concept is compared at its own number of classes only, or at every k."""
    digest: str
    """Stands for the clips."""

    def compared_at(self, k: int) -> tuple[Comparison, ...]:
        """The concepts that clusterings into k clusters are compared with."""
        return tuple(one for one in self.comparisons if not self.own_k or one.classes == k)


def kmeans_problems(labels: LabelledRows, ks: Sequence[int] | None) -> tuple[list[Problem], list[str]]:
    """Concepts with the same labelled clips make one problem; with notes on what cannot be compared.

    Raises:
        InvalidInput: no concept has classes, or there are fewer clips than clusters.
    """
    concepts = [concept for concept in labels.concepts if concept.kind == "class"]
    numbers = [concept.name for concept in labels.concepts if concept.kind == "number"]
    cure = "make classes of them in the query, as in CASE WHEN tempo_bpm < 100 THEN 'slow' ELSE 'fast' END"
    if not concepts:
        raise InvalidInput(
            f"Clusters are compared with classes, and {', '.join(numbers)} are numbers: {cure}."
        )
    alike: dict[bytes, list[Concept]] = {}
    for concept in concepts:
        alike.setdefault(concept.labelled.tobytes(), []).append(concept)
    problems = [_problem(labels, same, ks) for same in alike.values()]
    return problems, [f"{', '.join(numbers)} are numbers: {cure}."] if numbers else []


def _problem(labels: LabelledRows, concepts: Sequence[Concept], ks: Sequence[int] | None) -> Problem:
    rows = np.flatnonzero(concepts[0].labelled)
    comparisons = tuple(
        Comparison(concept.name, len(concept.classes), concept.values[rows], labels.hash_of(concept))
        for concept in concepts
    )
    wanted = tuple(sorted({one.classes for one in comparisons})) if ks is None else tuple(ks)
    if max(wanted) >= len(rows):
        raise InvalidInput(
            f"{len(rows)} clips with {concepts[0].name} cannot make {max(wanted)} clusters: "
            "choose a smaller --k, or label more clips."
        )
    clip_ids = tuple(labels.clip_ids[row] for row in rows)
    return Problem(clip_ids, comparisons, wanted, ks is None, digest_of(list(clip_ids)))
