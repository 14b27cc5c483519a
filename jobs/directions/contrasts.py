"""Plan the contrasts (which classes, on which rows), so that contrasts share their computations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.linear.held_out import scored_rows
from analysis.splits import Partition
from jobs.fitting.labels import LabelledRows
from store.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Contrast:
    """A class against another, or against all others."""

    concept: str
    positive: str
    negative: str | None = None
    """None: all other classes."""
    labels_hash: str = ""
    """Stands for the labels of the concept."""


@dataclass(frozen=True, slots=True)
class ContrastSet:
    """Contrasts over the same rows, which share a pass over them."""

    rows: NDArray[np.int64]
    """Places among the labelled rows, (n,)."""
    targets: NDArray[np.bool_]
    """True where a row is positive, (n, M)."""
    contrasts: tuple[Contrast, ...]

    def only(self, places: Sequence[int]) -> "ContrastSet":
        """The set with some of its contrasts."""
        return ContrastSet(
            self.rows, self.targets[:, list(places)], tuple(self.contrasts[place] for place in places)
        )


def contrast_sets(labels: LabelledRows, pairs: Sequence[str] = ()) -> tuple[list[ContrastSet], list[str]]:
    """Every class against the rest or, where pairs are named, these alone; with notes on what has none.

    Args:
        labels: classes of rows; numbers have no classes and are noted.
        pairs: "SOURCE:TARGET", two classes of one concept: the direction points from source to target.

    Raises:
        InvalidInput: no concept has classes, or a pair names none.
    """
    concepts = [concept for concept in labels.concepts if concept.kind == "class"]
    numbers = [concept.name for concept in labels.concepts if concept.kind == "number"]
    cure = "make classes of them in the query, as in CASE WHEN tempo_bpm < 100 THEN 'slow' ELSE 'fast' END"
    if not concepts:
        raise InvalidInput(f"Directions tell classes apart, and {', '.join(numbers)} are numbers: {cure}.")
    notes = [f"{', '.join(numbers)} are numbers and have no directions: {cure}."] if numbers else []
    if pairs:
        named = [found for pair in pairs for found in _pair(pair, concepts)]
        return _shared([_contrast(labels, concept, contrast) for concept, contrast in named]), notes
    rest = [
        _contrast(labels, concept, Contrast(concept.name, name))
        for concept in concepts
        for name in concept.classes
    ]
    return _shared(rest), notes


def unscored_notes(sets: Sequence[ContrastSet], partition: Partition) -> list[str]:
    """Sentences about contrasts of which nothing can be held out, for cells of all labelled rows."""
    notes = []
    for one in sets:
        cells = Partition(partition.cells[one.rows], partition.count, partition.tested)
        for positive, contrast in zip(one.targets.T, one.contrasts, strict=True):
            scored = scored_rows(positive, cells, classes=True)
            if len(np.unique(positive[scored])) < 2:
                notes.append(
                    f"{contrast.concept}: the direction to {contrast.positive!r} is not scored: all clips of "
                    "it or of what it is told from fall into one held-out part. Try other --folds."
                )
    return notes


def _pair(text: str, concepts: Sequence[Concept]) -> list[tuple[Concept, Contrast]]:
    """A pair in every concept that has both classes; class names may contain colons."""
    found = []
    for place in (place for place, letter in enumerate(text) if letter == ":"):
        source, target = text[:place], text[place + 1 :]
        found += [
            (concept, Contrast(concept.name, positive=target, negative=source))
            for concept in concepts
            if source in concept.classes and target in concept.classes and source != target
        ]
    if not found:
        classes = "; ".join(f"{concept.name}: {', '.join(concept.classes)}" for concept in concepts)
        raise InvalidInput(f"--pair {text!r} is not SOURCE:TARGET with two classes of a concept ({classes}).")
    return found


def _contrast(labels: LabelledRows, concept: Concept, contrast: Contrast) -> ContrastSet:
    positive = concept.values == concept.classes.index(contrast.positive)
    if contrast.negative is None:
        used = concept.labelled
    else:
        used = positive | (concept.values == concept.classes.index(contrast.negative))
    rows = np.flatnonzero(used)
    return ContrastSet(
        rows, positive[rows][:, np.newaxis], (replace(contrast, labels_hash=labels.hash_of(concept)),)
    )


def _shared(sets: Sequence[ContrastSet]) -> list[ContrastSet]:
    """Sets with the same rows as one."""
    alike: dict[bytes, list[ContrastSet]] = {}
    for one in sets:
        alike.setdefault(one.rows.tobytes(), []).append(one)
    return [
        ContrastSet(
            same[0].rows,
            np.concatenate([one.targets for one in same], axis=1),
            tuple(contrast for one in same for contrast in one.contrasts),
        )
        for same in alike.values()
    ]
