"""What a split lets probes be measured on: clips whose class no training part has cannot be named."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analysis.held_out import scored_rows
from analysis.splits import Partition, fold_partition
from jobs.fitting.labels import Concept, LabelledRows
from jobs.probing.plan import Coverage

MOST_SUGGESTED_FOLDS = 20


def is_measurable(concept: Concept, partition: Partition) -> bool:
    """Whether different labels are scored and, of classes, most of the clips that are held out."""
    of_classes = concept.kind == "class"
    scored = scored_rows(concept.values, partition, classes=of_classes)
    most = 2 * scored.sum() > _held_out(partition).sum()
    return len(np.unique(concept.values[scored])) > 1 and bool(most or not of_classes)


def measurable_part(found: Sequence[Coverage]) -> tuple[tuple[Coverage, ...], tuple[Concept, ...]]:
    """Coverages with the concepts that can be measured, and the concepts that cannot."""
    kept: list[Coverage] = []
    unmeasured: list[Concept] = []
    for coverage in found:
        able: list[Concept] = []
        for concept in coverage.concepts:
            (able if is_measurable(concept, coverage.partition) else unmeasured).append(concept)
        if able:
            kept.append(replace(coverage, concepts=tuple(able)))
    return tuple(kept), tuple(unmeasured)


def measurability_notes(coverage: Coverage, labels: LabelledRows, *, split: str) -> list[str]:
    """Sentences about concepts that cannot be measured, and classes that are not scored everywhere."""
    notes = []
    for concept in coverage.concepts:
        said = _class_notes(concept, coverage.partition)
        if not is_measurable(concept, coverage.partition):
            said = [_unmeasurable_note(concept, coverage.partition)]
        elif scored_rows(concept.values, coverage.partition, classes=concept.kind == "class").all():
            notes += said
            continue
        notes += [note + _cure(concept.name, labels, coverage.partition.count, split) for note in said]
    return notes


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
    return (
        f"{start} of {count} held-out clips {scored.sum()} (of {classes} classes) have their class in the "
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


def _cure(name: str, labels: LabelledRows, folds: int, split: str) -> str:
    """A number of folds near the given one that leaves no clip unscored, if there is one."""
    if split != "groups":
        return ""
    concept = next(one for one in labels.concepts if one.name == name)
    rows = concept.labelled
    for count in sorted(range(3, MOST_SUGGESTED_FOLDS + 1), key=lambda count: abs(count - folds)):
        if count > len(labels.all_groups):
            continue
        partition = fold_partition(labels.groups[rows], count, among=labels.all_groups)
        if scored_rows(concept.values[rows], partition, classes=concept.kind == "class").all():
            return f" --folds {count} scores all its clips."
    return ""


def _held_out(partition: Partition) -> NDArray[np.bool_]:
    return np.isin(partition.cells, partition.tested)
