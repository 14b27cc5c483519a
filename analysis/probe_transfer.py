"""Apply a probe that was fitted on one representation of clips to another one of the same clips.

"direct" applies the weights as they are, to features about the mean of the other's training rows: it means
something where both share their axes, such as the residual stream of neighbouring layers. "map" carries the
probe over by ridge regression: on the training rows of each fold, what the probe says of A is predicted from
B, which is the same as mapping B into the space of A first, since both are linear. The map sees no labels.
Probes, maps and penalties are of the training folds alone, and every score is of rows of the held-out fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.linear.guesses import Guesses
from analysis.linear.moments import Floats, Moments, training_of
from analysis.linear.penalties import CrossValidation, NestedRidge, nested_ridge
from analysis.linear.ridge import Factors, Linear, PrimalRidge, TargetMoments, added_targets, target_moments
from analysis.linear.row_blocks import RowBlocks
from analysis.probes.out_of_fold import moments_by_cell, problem_of_moments
from analysis.probes.scores import Judged, class_result, number_result
from analysis.probes.targets import Targets, ridge_targets
from analysis.splits import Partition

VERSION = 1
"""Of what is kept: raise it with its numbers."""
Through = Literal["direct", "map"]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Clips with their labels, and how they are cut."""

    concepts: tuple[Concept, ...]
    groups: NDArray[Any]
    partition: Partition
    targets: Targets

    @classmethod
    def of(
        cls,
        concepts: Sequence[Concept],
        groups: NDArray[Any],
        partition: Partition,
        *,
        controls: int,
        seed: int,
    ) -> "Labelled":
        """With labels that are shuffled over groups, as many times as there are controls."""
        targets = ridge_targets(concepts, groups, controls=controls, seed=seed)
        return cls(tuple(concepts), groups, partition, targets)


@dataclass(frozen=True, slots=True, eq=False)
class SourceLayer:
    """Probes of one layer, a set for each tested fold."""

    width: int
    probes: NestedRidge
    means: tuple[Floats, ...]
    """Of the rows that the probes of each tested fold were fitted on, (D,)."""
    own: tuple[Judged, ...]
    """Scores of these probes on their own layer, one per concept."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetLayer:
    """A layer that takes over probes of others, with its own."""

    fitted: SourceLayer
    rows: RowBlocks
    moments: Moments
    factors: Factors


@dataclass(frozen=True, slots=True)
class Transfer:
    """How a probe of one layer does on another, for one concept."""

    concept: str
    through: Through
    moved: Judged
    """The probe of A on the rows of B, beside probes of A that learned shuffled labels."""
    own: Judged
    """The probe that was fitted on B itself."""
    source: Judged
    """The probe of A on A."""


def fit_layer(rows: RowBlocks, given: Labelled, penalties: Sequence[float]) -> TargetLayer:
    """Fit the probes of a layer: two passes over its rows, and one to score them."""
    partition, moments = given.partition, moments_by_cell(rows, given.partition)
    factors: Factors = {}
    problem = problem_of_moments(rows, moments, given.targets.columns, partition, factors=factors)
    probes = nested_ridge(problem, partition, given.targets.sharing, penalties)
    own = _judged(given, rows, dict(zip(probes.tested, probes.models, strict=True)))
    folds = CrossValidation(partition.tested, partition.count)
    means = tuple(moments.shift + training_of(moments, folds.without(fold)).mean for fold in probes.tested)
    return TargetLayer(SourceLayer(rows.width, probes, means, own), rows, moments, factors)


def transfer(
    source: SourceLayer,
    source_rows: RowBlocks,
    target: TargetLayer,
    given: Labelled,
    penalties: Sequence[float],
) -> list[Transfer]:
    """Apply the probes of one layer to another: through a map, and directly where the widths are equal."""
    moved: dict[Through, tuple[Judged, ...]] = {}
    if source.width == target.rows.width:
        moved["direct"] = _judged(given, target.rows, _moved(source, target))
    moved["map"] = _judged(given, target.rows, _mapped(source, source_rows, target, given, penalties))
    return [
        Transfer(concept.name, through, judged, target.fitted.own[place], source.own[place])
        for through, found in moved.items()
        for place, (concept, judged) in enumerate(zip(given.concepts, found, strict=True))
    ]


def _moved(source: SourceLayer, target: TargetLayer) -> dict[int, Linear]:
    """The probes about the mean of the target's training rows."""
    return {
        fold: Linear(there, model.weights, model.intercept + (here - model.shift) @ model.weights)
        for fold, model, here, there in zip(
            source.probes.tested, source.probes.models, source.means, target.fitted.means, strict=True
        )
    }


def _mapped(
    source: SourceLayer,
    source_rows: RowBlocks,
    target: TargetLayer,
    given: Labelled,
    penalties: Sequence[float],
) -> dict[int, Linear]:
    """Models of the target's rows for what the source's probes say, fitted on each fold's training rows."""
    said = _said_moments(source.probes, source_rows, target, given.partition)
    width = source.probes.penalties.shape[1]
    found: dict[int, Linear] = {}
    for place, fold in enumerate(source.probes.tested):
        columns = slice(place * width, (place + 1) * width)
        own = TargetMoments(said.cross[:, :, columns], said.sums[:, columns], said.squares[:, columns])
        problem = PrimalRidge(target.moments, own, factors=target.factors)
        alone = replace(given.partition, tested=(fold,))
        fitted = nested_ridge(problem, alone, given.targets.sharing, penalties)
        found |= dict(zip(fitted.tested, fitted.models, strict=True))
    return found


def _said_moments(
    probes: NestedRidge, source_rows: RowBlocks, target: TargetLayer, partition: Partition
) -> TargetMoments:
    """Of the target's rows with what the probes of every fold say of the source's, fold after fold."""
    total: TargetMoments | None = None
    for (place, block), (_, there) in zip(source_rows.blocks(), target.rows.blocks(), strict=True):
        said = np.concatenate([model.predict(block) for model in probes.models], axis=1)
        part = target_moments(there, said, partition.cells[place], partition.count, target.moments.shift)
        total = part if total is None else added_targets(total, part)
    assert total is not None
    return total


def _judged(given: Labelled, rows: RowBlocks, models: dict[int, Linear]) -> tuple[Judged, ...]:
    """Scores of the models of each fold on the rows of that fold, one per concept."""
    targets, cells = given.targets, given.partition.cells
    guesses = [
        Guesses.empty(len(labels), len(rows), max(1, classes))
        for classes, labels in zip(targets.classes, targets.labellings, strict=True)
    ]
    for place, block in rows.blocks():
        predicted = np.full((len(block), len(targets.sharing)), np.nan)
        for fold, model in models.items():
            members = np.flatnonzero(cells[place] == fold)
            predicted[members] = model.predict(block[members])
        for number, own in enumerate(guesses):
            own.put(place, targets.of_concept(number, predicted))
    return tuple(
        _result(given, concept, targets.labellings[number], guesses[number])
        for number, concept in enumerate(given.concepts)
    )


def _result(given: Labelled, concept: Concept, labels: NDArray[Any], guesses: Guesses) -> Judged:
    if concept.kind == "class":
        return class_result(concept, given.groups, given.partition, labels, guesses).whole
    return number_result(given.groups, given.partition, labels, guesses.said).whole
