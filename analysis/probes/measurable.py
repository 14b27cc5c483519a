"""Concepts that a split can measure: their classes occur in training and in test rows."""

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.linear.held_out import scored_rows
from analysis.splits import Partition
from store.errors import counted


def is_measurable(concept: Concept, partition: Partition) -> bool:
    """Whether different labels are scored and, of classes, most of the clips that are held out."""
    of_classes = concept.kind == "class"
    scored = scored_rows(concept.values, partition, classes=of_classes)
    most = 2 * scored.sum() > _held_out(partition).sum()
    return len(np.unique(concept.values[scored])) > 1 and bool(most or not of_classes)


def scores_every_clip(concept: Concept, partition: Partition) -> bool:
    """Whether no clip is left without a score."""
    return bool(scored_rows(concept.values, partition, classes=concept.kind == "class").all())


def coverage_notes(concept: Concept, partition: Partition) -> list[str]:
    """Sentences about a concept that cannot be measured, or about classes that are not scored everywhere."""
    if not is_measurable(concept, partition):
        return [_unmeasurable_note(concept, partition)]
    return _class_notes(concept, partition)


def _unmeasurable_note(concept: Concept, partition: Partition) -> str:
    held_out = _held_out(partition)
    start, count = f"{concept.name} is not measurable:", int(held_out.sum())
    if not count:
        return f"{start} none of its {len(concept.values)} clips is held out."
    if concept.kind == "number":
        numbers = len(np.unique(concept.values[held_out]))
        return f"{start} its {count} held-out clips have {numbers} different numbers."
    scored = scored_rows(concept.values, partition, classes=True)
    classes = len(np.unique(concept.values[scored]))
    of_classes = counted(classes, "class", "classes")
    return (
        f"{start} of {count} held-out clips {scored.sum()} (of {of_classes}) have their class in the "
        "other parts too, and another class to tell it from."
    )


def _class_notes(concept: Concept, partition: Partition) -> list[str]:
    notes = []
    for code, name in enumerate(concept.classes):
        members = concept.values == code
        counts = np.bincount(partition.cells[members], minlength=partition.count)
        untested = [cell for cell in partition.tested if not counts[cell]]
        if len(untested) == len(partition.tested):
            notes.append(f"{concept.name}: no clip of class {name!r} is held out; it is not scored.")
        elif np.count_nonzero(counts) == 1:
            notes.append(
                f"{concept.name}: all {members.sum()} clips of class {name!r} fall into one held-out part, "
                "so no probe of that part has learned the class; they are not scored."
            )
        elif untested:
            folds = f"{len(untested)} of {len(partition.tested)} folds"
            notes.append(f"{concept.name}: class {name!r} has no clip in {folds}.")
    return notes


def _held_out(partition: Partition) -> NDArray[np.bool_]:
    return np.isin(partition.cells, partition.tested)
