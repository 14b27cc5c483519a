"""Ridge regression of many targets on many training sets, from moments (primal) or rows (dual).

With ± targets or one-hot targets this is the MSE probe. For training rows (x, y), n of them, with features
divided by their standard deviation, it minimises Σ ‖y − b − wᵀx‖² + penalty · n · ‖w‖². The intercept b is
free. scikit-learn's `Ridge(alpha=penalty * n)` on standardised features is the same.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats, Moments, scales, scatter_of, training_of
from analysis.linear.tridiagonal import Tridiagonal, tridiagonalise

Factors = MutableMapping[tuple[int, ...], Tridiagonal]
"""By the folds of a training set."""
VERSION = 1
"""Of ridge probes, whichever way they are solved: raise it with their numbers."""
GRID_COLUMNS = 1024
"""Solutions that are held at once."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Predictions (x − shift) @ weights + intercept."""

    shift: Floats
    """(D,)."""
    weights: Floats
    """(D, R)."""
    intercept: Floats
    """(R,)."""

    def predict(self, rows: NDArray[Any]) -> Floats:
        """Predictions (n, R) for rows (n, D)."""
        return (rows.astype(np.float64) - self.shift) @ self.weights + self.intercept


@dataclass(frozen=True, slots=True)
class System:
    """The regularised normal equations of one training set: (gram + penalty · rows · I) v = cross."""

    gram: Callable[[], Floats]
    """Makes the matrix (d, d), positive semi-definite."""
    cross: Floats
    """(d, R)."""
    rows: float
    lift: Callable[[Floats, slice | NDArray[np.intp]], Linear]
    """From a solution v of some of the R targets to the model."""
    factor: Tridiagonal | None = None
    """Of the matrix, where somebody has it."""

    def solve(self, penalty: float, columns: slice | NDArray[np.intp] = slice(None)) -> Linear:
        """The ridge model of all or some targets."""
        return self.lift(solve_shifted(self.gram(), self.cross[:, columns], penalty * self.rows), columns)

    def solve_grid(self, penalties: Floats) -> Iterator[tuple[slice, Linear]]:
        """Models of all targets with every penalty (S,), a few penalties at once: weights (d, few · R)."""
        factor, targets = self._reduced(), self.cross.shape[1]
        step = max(1, GRID_COLUMNS // targets)
        for first in range(0, len(penalties), step):
            place = slice(first, min(first + step, len(penalties)))
            shifts = (penalties[place] * self.rows).tolist()
            yield (
                place,
                self.lift(factor.solve(self.cross, shifts), np.tile(np.arange(targets), len(shifts))),
            )

    def solve_each(self, penalties: Floats) -> Linear:
        """The model in which every target has its own penalty (R,)."""
        factor, solution = self._reduced(), np.empty_like(self.cross)
        for penalty in np.unique(penalties):
            columns = np.flatnonzero(penalties == penalty)
            solution[:, columns] = factor.solve(self.cross[:, columns], [penalty * self.rows])
        return self.lift(solution, slice(None))

    def _reduced(self) -> Tridiagonal:
        """The same numbers whether somebody kept them or not."""
        return self.factor or tridiagonalise(self.gram())


class RidgeProblem(Protocol):
    """Rows in folds with targets, in whichever form they are held."""

    def train(self, folds: Sequence[int]) -> System:
        """The equations of a training set of whole folds."""

    def squared_error(self, model: Linear, fold: int) -> Floats:
        """Σ (prediction − target)² over the rows of a fold, (R,); of all targets over and over, alike."""

    def rows_in(self, folds: Sequence[int]) -> float:
        """How many rows some folds hold."""


@dataclass(frozen=True, slots=True)
class TargetMoments:
    """Sums over the rows of each fold, of targets and of targets with features."""

    cross: Floats
    """Σ (x − shift) yᵀ, (folds, D, R)."""
    sums: Floats
    """Σ y, (folds, R)."""
    squares: Floats
    """Σ y², (folds, R)."""


def target_moments(
    rows: NDArray[Any],
    targets: Floats,
    folds: NDArray[np.integer[Any]],
    count: int,
    shift: Floats,
    *,
    times: int = 1,
) -> TargetMoments:
    """Target moments of a block of rows (n, D) with targets (n, R).

    Args:
        rows: features; where each stands for `times` rows with the same target, their mean.
        targets: the numbers to predict.
        folds: fold of each row, negative to leave it out.
        count: number of folds.
        shift: the shift of the feature moments, (D,).
        times: how many rows (frames of a clip) each of these rows is the mean of.
    """
    (_, width), columns = rows.shape, targets.shape[1]
    cross = np.zeros((count, width, columns))
    sums, squares = np.zeros((count, columns)), np.zeros((count, columns))
    for fold in range(count):
        members = np.flatnonzero(folds == fold)
        wanted = targets[members]
        cross[fold] = times * ((rows[members].astype(np.float64) - shift).T @ wanted)
        sums[fold], squares[fold] = times * wanted.sum(axis=0), times * np.square(wanted).sum(axis=0)
    return TargetMoments(cross, sums, squares)


def added_targets(one: TargetMoments, other: TargetMoments) -> TargetMoments:
    """Target moments of two disjoint sets of rows."""
    return TargetMoments(one.cross + other.cross, one.sums + other.sums, one.squares + other.squares)


class PrimalRidge:
    """Ridge from moments: D equations, whatever the number of rows."""

    def __init__(
        self,
        moments: Moments,
        targets: TargetMoments,
        *,
        standardise: bool = True,
        factors: Factors | None = None,
    ) -> None:
        """Where `factors` is given, factors are taken from it, and those that are missing are added to it."""
        self._moments, self._targets, self._standardise = moments, targets, standardise
        self._factors = factors

    def rows_in(self, folds: Sequence[int]) -> float:
        return float(self._moments.counts[list(folds)].sum())

    def train(self, folds: Sequence[int]) -> System:
        chosen = list(folds)
        training = training_of(self._moments, chosen, standardise=self._standardise)
        inverse = 1 / training.scale
        mean_target = self._targets.sums[chosen].sum(axis=0) / training.rows
        cross = self._targets.cross[chosen].sum(axis=0)
        cross -= training.rows * np.outer(training.mean, mean_target)

        def lift(solution: Floats, columns: slice | NDArray[np.intp]) -> Linear:
            weights = solution * inverse[:, np.newaxis]
            return Linear(self._moments.shift, weights, mean_target[columns] - training.mean @ weights)

        def gram() -> Floats:
            scatter = scatter_of(self._moments, chosen, training)
            scatter *= inverse
            scatter *= inverse[:, np.newaxis]
            return scatter

        factor = self._factor(tuple(chosen), gram)
        return System(gram, cross * inverse[:, np.newaxis], training.rows, lift, factor)

    def _factor(self, folds: tuple[int, ...], gram: Callable[[], Floats]) -> Tridiagonal | None:
        if self._factors is None:
            return None
        if folds not in self._factors:
            self._factors[folds] = tridiagonalise(gram())
        return self._factors[folds]

    def squared_error(self, model: Linear, fold: int) -> Floats:
        moments, targets, weights, free = self._moments, self._targets, model.weights, model.intercept
        times = len(free) // targets.sums.shape[1]
        crosses, sums = np.tile(targets.cross[fold], times), np.tile(targets.sums[fold], times)
        predicted = np.einsum("dr,dr->r", weights, moments.grams[fold] @ weights)
        predicted += 2 * free * (moments.sums[fold] @ weights) + moments.counts[fold] * free**2
        product = np.einsum("dr,dr->r", weights, crosses) + free * sums
        error: Floats = np.maximum(np.tile(targets.squares[fold], times) - 2 * product + predicted, 0.0)
        return error


class DualRidge:
    """Ridge from rows in memory: as many equations as training rows, for the usual case of N ≤ D."""

    def __init__(
        self,
        rows: NDArray[Any],
        targets: Floats,
        folds: NDArray[np.integer[Any]],
        *,
        standardise: bool = True,
    ) -> None:
        self._shift = rows.astype(np.float64).mean(axis=0)
        self._rows = rows.astype(np.float64) - self._shift
        self._targets, self._cells, self._standardise = targets, folds, standardise

    def rows_in(self, folds: Sequence[int]) -> float:
        return float(np.isin(self._cells, list(folds)).sum())

    def train(self, folds: Sequence[int]) -> System:
        members = np.isin(self._cells, list(folds))
        rows, targets = self._rows[members], self._targets[members]
        mean, mean_target = rows.mean(axis=0), targets.mean(axis=0)
        inverse = 1 / scales(rows.std(axis=0), self._shift + mean, standardise=self._standardise)
        features = (rows - mean) * inverse

        def lift(solution: Floats, columns: slice | NDArray[np.intp]) -> Linear:
            weights = (features.T @ solution) * inverse[:, np.newaxis]
            return Linear(self._shift, weights, mean_target[columns] - mean @ weights)

        gram = features @ features.T
        return System(lambda: gram, targets - mean_target, float(len(rows)), lift)

    def squared_error(self, model: Linear, fold: int) -> Floats:
        members = self._cells == fold
        predictions = self._rows[members] @ model.weights + model.intercept
        times = predictions.shape[1] // self._targets.shape[1]
        error: Floats = np.square(predictions - np.tile(self._targets[members], times)).sum(axis=0)
        return error


def solve_shifted(gram: Floats, cross: Floats, penalty: float) -> Floats:
    """Solve (gram + penalty · I) v = cross for symmetric positive semi-definite `gram`.

    Where the penalty is no more than what rounding makes of the eigenvalues, by those above zero.
    """
    rounding = len(gram) * np.finfo(np.float64).eps
    if penalty > rounding * np.trace(gram):
        shifted = gram.copy().T  # symmetric: the column order of LAPACK, for free
        shifted.flat[:: len(gram) + 1] += penalty
        # Unlike SciPy's Cholesky factorisation, this lets other threads run.
        return np.asarray(np.linalg.solve(shifted, cross), np.float64)
    from scipy.linalg import eigh

    values, vectors = eigh(gram)
    kept = values > rounding * values[-1]
    basis = vectors[:, kept]
    return np.asarray(basis @ ((basis.T @ cross) / (values[kept] + penalty)[:, np.newaxis]))
