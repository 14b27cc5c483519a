"""Nested choice of penalties: chosen for every tested fold on its training rows alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats
from analysis.linear.ridge import Linear, RidgeProblem
from analysis.splits import Partition

PENALTIES: tuple[float, ...] = tuple(10.0**power for power in range(-4, 6))
"""Of features with variance 1: from hardly any to where, with thousands of features, little else is left."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Which folds are trained on and which are scored."""

    tested: tuple[int, ...]
    count: int

    def left_out_pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of folds of which one is tested: training without both serves to choose for either."""
        for one, other in combinations(range(self.count), 2):
            if one in self.tested or other in self.tested:
                yield one, other

    def without(self, *folds: int) -> list[int]:
        """All other folds."""
        return [fold for fold in range(self.count) if fold not in folds]


@dataclass(frozen=True, slots=True)
class NestedRidge:
    """A model for every tested fold, which has seen neither its rows nor their labels."""

    tested: tuple[int, ...]
    models: tuple[Linear, ...]
    penalties: Floats
    """Penalty that was chosen, (tested, targets)."""

    def predict(self, rows: NDArray[Any], folds: NDArray[np.integer[Any]]) -> Floats:
        """Out-of-fold predictions (n, R) for rows (n, D); NaN for rows of folds that are not tested."""
        predictions = np.full((len(rows), self.penalties.shape[1]), np.nan)
        for fold, model in zip(self.tested, self.models, strict=True):
            members = np.flatnonzero(folds == fold)
            predictions[members] = model.predict(rows[members])
        return predictions


def nested_ridge(
    problem: RidgeProblem,
    partition: Partition,
    sharing: NDArray[np.integer[Any]],
    penalties: Sequence[float] = PENALTIES,
) -> NestedRidge:
    """Fit one model per tested fold, its penalties chosen by cross-validation among the other folds.

    The choice goes by squared error. Training without two folds serves both of them, so k folds cost
    k (k − 1) / 2 reductions to tridiagonal form for all penalties and targets together, and k models.

    Args:
        problem: rows, folds and targets.
        partition: which folds there are and which are tested.
        sharing: a number per target, (R,): targets of equal number (classes of a concept) get one penalty.
        penalties: to choose from, in any order; of one there is nothing to choose.
    """
    plan = CrossValidation(partition.tested, partition.count)
    tested = tuple(fold for fold in partition.tested if problem.rows_in([fold]))
    systems = (problem.train(plan.without(fold)) for fold in tested)
    if len(penalties) == 1:
        chosen = np.full((len(tested), len(sharing)), penalties[0])
        models = [system.solve(penalties[0]) for system in systems]
    else:
        chosen = _choose(problem, plan, tested, sharing, np.asarray(penalties, dtype=np.float64))
        models = [system.solve_each(own) for system, own in zip(systems, chosen, strict=True)]
    return NestedRidge(tested, tuple(models), chosen)


def _choose(
    problem: RidgeProblem,
    plan: CrossValidation,
    tested: Sequence[int],
    sharing: NDArray[np.integer[Any]],
    penalties: Floats,
) -> Floats:
    """Penalty per tested fold and target, (tested, R)."""
    errors = np.zeros((plan.count, len(penalties), len(sharing)))
    for one, other in plan.left_out_pairs():
        training = plan.without(one, other)
        if not problem.rows_in(training):
            continue
        system = problem.train(training)
        for place, models in system.solve_grid(penalties):
            if one in tested:
                errors[one, place] += problem.squared_error(models, other).reshape(-1, len(sharing))
            if other in tested:
                errors[other, place] += problem.squared_error(models, one).reshape(-1, len(sharing))
    return np.stack([penalties[best_by_group(errors[fold], sharing)] for fold in tested])


def best_by_group(errors: Floats, sharing: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """Place of the smallest error (penalties, R) per target, (R,), summed over the targets that share."""
    numbers, groups = np.unique(sharing, return_inverse=True)
    summed = np.zeros((len(errors), len(numbers)))
    np.add.at(summed.T, groups, errors.T)
    return np.asarray(summed.argmin(axis=0)[groups])
