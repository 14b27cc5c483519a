"""Out-of-fold predictions of probes on one matrix of rows, held in memory or read block by block."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.linear.guesses import Guesses
from analysis.linear.moments import BlockSum, Floats, Moments, moments_of
from analysis.linear.penalties import NestedRidge, nested_ridge
from analysis.linear.ridge import (
    Factors,
    PrimalRidge,
    RidgeProblem,
    TargetMoments,
    added_targets,
    target_moments,
)
from analysis.linear.row_blocks import RowBlocks
from analysis.probes.targets import Targets
from analysis.splits import Partition


@dataclass(frozen=True, slots=True)
class RidgePredictions:
    """What ridge probes said of rows that they were not fitted on."""

    targets: Targets
    guesses: tuple[Guesses, ...]
    """Of each concept."""
    penalties: Floats
    """Chosen for each tested cell, (tested, R)."""

    def of_concept(self, place: int) -> tuple[Guesses, float]:
        """Of one concept, with the median penalty of its true labels."""
        return self.guesses[place], float(np.median(self.targets.of_concept(place, self.penalties)[0]))


def moments_by_cell(rows: RowBlocks, partition: Partition) -> Moments:
    """Moments of the rows of each cell, about the mean of the first block."""
    total = BlockSum()
    shift: Floats | None = None
    for number, (place, block) in enumerate(rows.blocks()):
        shift = block.mean(axis=0, dtype=np.float64) if shift is None else shift
        total.add(number, moments_of(block, partition.cells[place], partition.count, shift))
    assert total.total is not None
    return total.total


def problem_of_moments(
    rows: RowBlocks,
    moments: Moments,
    columns: Callable[[slice], Floats],
    partition: Partition,
    *,
    times: int = 1,
    factors: Factors | None = None,
) -> PrimalRidge:
    """What to solve for some targets, given the moments of the rows; a pass over the rows.

    Args:
        rows: features; where each stands for `times` rows (frames of a clip), their mean.
        moments: of the rows, or of the frames.
        columns: what is to be predicted, of some rows (n, R).
        partition: how the rows are cut.
        times: how many rows each of these is the mean of.
        factors: where factorisations are taken from and kept, if anywhere.
    """
    total: TargetMoments | None = None
    for place, block in rows.blocks():
        part = target_moments(
            block, columns(place), partition.cells[place], partition.count, moments.shift, times=times
        )
        total = part if total is None else added_targets(total, part)
    assert total is not None
    return PrimalRidge(moments, total, factors=factors)


def ridge_predictions(
    problem: RidgeProblem,
    rows: RowBlocks,
    targets: Targets,
    partition: Partition,
    penalties: tuple[float, ...],
) -> RidgePredictions:
    """Fit every target for every tested cell, and predict the rows of that cell; a pass over the rows."""
    nested: NestedRidge = nested_ridge(problem, partition, targets.sharing, penalties)
    guesses = tuple(
        Guesses.empty(len(labels), len(rows), max(1, classes))
        for classes, labels in zip(targets.classes, targets.labellings, strict=True)
    )
    for place, block in rows.blocks():
        predicted = nested.predict(block, partition.cells[place])
        for number, own in enumerate(guesses):
            own.put(place, targets.of_concept(number, predicted))
    return RidgePredictions(targets, guesses, nested.penalties)
