"""Sort concepts into those that a split can measure and those that it cannot, with the cure."""

from collections.abc import Sequence
from dataclasses import replace

from analysis.concepts import Concept
from analysis.probes.measurable import coverage_notes, is_measurable, scores_every_clip
from analysis.splits import fold_partition
from jobs.fitting.labels import LabelledRows
from jobs.probe.plan import Coverage

MOST_SUGGESTED_FOLDS = 20


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
        said = coverage_notes(concept, coverage.partition)
        if not scores_every_clip(concept, coverage.partition):
            cure = _cure(concept.name, labels, coverage.partition.count, split)
            said = [note + cure for note in said]
        notes += said
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
        if scores_every_clip(concept.subset(rows), partition):
            return f" --folds {count} scores all its clips."
    return ""
