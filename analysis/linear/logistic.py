"""Logistic regression with an L2 penalty, many problems at once: batched over layers, folds and labels.

For training rows (x, y), n of them, with features divided by their standard deviation, each problem minimises
mean(loss) + penalty / 2 · ‖w‖², intercept free. The loss is softmax's over K classes, or for K = 1 the
binary one, so scikit-learn's `LogisticRegression(C=1 / (penalty * n))` on standardised features is the same.
The optimiser is L-BFGS (Liu & Nocedal 1989) with a history per problem, which begins at the curvature that
the covariance of the features implies: nearly Newton's steps, where rows are many. Rows come in blocks, of
which one is held at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from analysis.linear.moments import Floats, scales

HISTORY = 10
MAX_ITERATIONS = 500
TOLERANCE = 1e-6
ARMIJO = 1e-4
HALVINGS = 30
ROUNDING = 1e-15
"""Relative change of the objective that means nothing."""
CURVATURE_ROWS = 16
"""Rows per feature that a covariance for the optimiser is taken of: it need not be exact."""


class Features(Protocol):
    """The same rows on L layers, about a point near their means."""

    shape: tuple[int, int, int]
    """L, N and D."""

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The rows in fixed blocks (L, n, D), each with its place."""


@dataclass(frozen=True, slots=True)
class Problems:
    """P problems on the same rows: which labelling each learns, from which cells of the rows."""

    codes: NDArray[np.integer[Any]]
    """Classes of the rows in each of Q labellings, (Q, N); a row with a negative code takes no part."""
    cells: NDArray[np.integer[Any]]
    """Cell of each row, (N,)."""
    labelling: NDArray[np.intp]
    """Of each problem, (P,)."""
    trained: NDArray[np.bool_]
    """Which cells each problem trains on, (P, cells)."""
    positive: NDArray[np.integer[Any]] | None = None
    """Class that a binary problem tells from all others, (P,); None where problems are multinomial."""
    classes: int = 1
    """Outputs of a problem, K: 1 of a binary one."""

    def __len__(self) -> int:
        return len(self.labelling)

    def only(self, problems: NDArray[np.bool_]) -> "Problems":
        """Some of the problems."""
        return replace(
            self,
            labelling=self.labelling[problems],
            trained=self.trained[problems],
            positive=None if self.positive is None else self.positive[problems],
        )

    def codes_at(self, place: slice) -> NDArray[np.integer[Any]]:
        """Classes of a block of rows in the labelling of each problem, (P, n)."""
        return self.codes[:, place][self.labelling]

    def targets(self, codes: NDArray[np.integer[Any]]) -> Floats:
        """One-hot (P, n, K), or for K = 1 zeros and ones, for the codes of a block (P, n)."""
        if self.positive is not None:
            return np.asarray(codes == self.positive[:, np.newaxis], np.float64)[..., np.newaxis]
        return np.asarray(codes[..., np.newaxis] == np.arange(self.classes), np.float64)

    def training(self, codes: NDArray[np.integer[Any]], place: slice) -> Floats:
        """1 for the rows of a block that a problem trains on, otherwise 0, (P, n)."""
        return np.asarray(self.trained[:, self.cells[place]] & (codes >= 0), np.float64)

    def rows(self) -> Floats:
        """Number of training rows, (P,)."""
        return self._counts(self.codes >= 0)

    def shares(self) -> Floats:
        """Share of each class in the training rows, or of the positive one, never quite 0 or 1, (P, K)."""
        if self.positive is None:
            own = [self._counts(self.codes == code) for code in range(self.classes)]
        else:
            every = {code: self._counts(self.codes == code) for code in np.unique(self.positive).tolist()}
            own = [np.array([every[code][place] for place, code in enumerate(self.positive.tolist())])]
        return (np.stack(own, axis=1) + 1) / (self.rows()[:, np.newaxis] + max(2, self.classes))

    def _counts(self, members: NDArray[np.bool_]) -> Floats:
        """Training rows of each problem among those that `members` (Q, N) says of its labelling, (P,)."""
        cells = self.trained.shape[1]
        counts = [np.bincount(self.cells[own], minlength=cells) for own in members]
        return np.asarray((np.stack(counts)[self.labelling] * self.trained).sum(axis=1), np.float64)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Covariance of features over their scales, about: eigenvalues (L, D) and axes in columns (L, D, D)."""

    values: Floats
    axes: Floats

    def divided(self, gradient: Floats, curvature: Floats, penalties: Floats) -> Floats:
        """The gradient (L, P, K, D) over curvature (P, K) times this covariance plus penalties (L, P)."""
        layers, width = gradient.shape[0], gradient.shape[-1]
        rotated = (gradient.reshape(layers, -1, width) @ self.axes).reshape(gradient.shape)
        every = curvature[..., np.newaxis] * self.values[:, np.newaxis, np.newaxis]
        rotated /= every + penalties[..., np.newaxis, np.newaxis]
        return np.asarray(
            (rotated.reshape(layers, -1, width) @ self.axes.transpose(0, 2, 1)).reshape(gradient.shape)
        )


def spectrum(features: Features) -> Spectrum | None:
    """Of some of the rows, evenly spaced; None where they are no more than the features. A pass over them."""
    layers, rows, width = features.shape
    if rows <= width:
        return None
    step = max(1, rows // (CURVATURE_ROWS * width))
    count, total, products = 0, np.zeros((layers, 1, width)), np.zeros((layers, width, width))
    for place, block in features.blocks():
        some = block[:, -place.start % step :: step]
        count += some.shape[1]
        total += some.sum(axis=1, keepdims=True)
        products += np.stack([own.T @ own for own in some])
    covariances = products / count - total.transpose(0, 2, 1) @ total / count**2
    deviations = np.sqrt(np.maximum(np.diagonal(covariances, axis1=1, axis2=2), 0.0))
    over = np.divide(1, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    covariances *= over[:, np.newaxis] * over[..., np.newaxis]
    found = [scipy.linalg.eigh(own, driver="evd") for own in covariances]
    return Spectrum(
        np.maximum(np.stack([values for values, _ in found]), 0.0), np.stack([axes for _, axes in found])
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Problems with their features, of which no more than a block is held at a time."""

    features: Features
    problems: Problems
    rows: Floats
    """Number of training rows, (P,)."""
    mean: Floats
    """Of the training rows, (L, P, D)."""
    scale: Floats
    """Their standard deviation, infinite for constant features, (L, P, D)."""
    spectrum: Spectrum | None = None
    """Of the features over their scales, for the optimiser."""

    def only(self, problems: NDArray[np.bool_]) -> "Batch":
        """Some of the problems."""
        return replace(
            self,
            problems=self.problems.only(problems),
            rows=self.rows[problems],
            mean=self.mean[:, problems],
            scale=self.scale[:, problems],
        )

    def logits(self, weights: Floats, intercept: Floats) -> Iterator[tuple[slice, Floats]]:
        """(L, P, n, K) of each block, for standardised weights (L, P, K, D) and intercepts (L, P, K)."""
        for place, block in self.features.blocks():
            yield place, self._logits(block, weights, intercept)

    def loss(self, weights: Floats, intercept: Floats) -> tuple[Floats, Floats, Floats]:
        """Mean loss of the training rows (L, P), and its derivatives by weights and intercepts."""
        total = np.zeros(weights.shape[:2])
        by_weight, by_intercept = np.zeros_like(weights), np.zeros_like(intercept)
        for place, block in self.features.blocks():
            codes = self.problems.codes_at(place)
            targets = self.problems.targets(codes)
            shares = self.problems.training(codes, place) / np.maximum(self.rows, 1)[:, np.newaxis]
            logits = self._logits(block, weights, intercept)
            total += np.einsum("lpn,pn->lp", losses(logits, targets), shares)
            residuals = (probabilities(logits) - targets) * shares[..., np.newaxis]
            layers, problems, rows, classes = residuals.shape
            flat = residuals.transpose(0, 1, 3, 2).reshape(layers, -1, rows)
            by_weight += (flat @ block).reshape(layers, problems, classes, -1)
            by_intercept += residuals.sum(axis=2)
        by_weight -= by_intercept[..., np.newaxis] * self.mean[:, :, np.newaxis]
        return total, by_weight / self.scale[:, :, np.newaxis], by_intercept

    def losses_by_cell(self, weights: Floats, intercept: Floats) -> Floats:
        """Sum of the losses of the labelled rows of every cell, trained on or not, (L, P, cells)."""
        found = np.zeros((*weights.shape[:2], self.problems.trained.shape[1]))
        for place, logits in self.logits(weights, intercept):
            codes = self.problems.codes_at(place)
            own = losses(logits, self.problems.targets(codes)) * (codes >= 0)
            for cell in np.unique(self.problems.cells[place]):
                found[..., cell] += own[..., self.problems.cells[place] == cell].sum(axis=-1)
        return found

    def _logits(self, block: Floats, weights: Floats, intercept: Floats) -> Floats:
        raw: Floats = weights / self.scale[:, :, np.newaxis]
        layers, problems, classes, width = raw.shape
        products = raw.reshape(layers, -1, width) @ block.transpose(0, 2, 1)
        free = intercept - np.einsum("lpkd,lpd->lpk", raw, self.mean)
        logits = products.reshape(layers, problems, classes, -1) + free[..., np.newaxis]
        return np.asarray(logits.transpose(0, 1, 3, 2))


@dataclass(frozen=True, slots=True)
class LogisticFit:
    """Where the optimiser ended."""

    weights: Floats
    """Of standardised features, (L, P, K, D)."""
    intercept: Floats
    """(L, P, K), at the mean of the training rows."""
    objective: Floats
    """(L, P)."""
    converged: NDArray[np.bool_]
    """(L, P)."""
    iterations: int


def logistic_batch(features: Features, problems: Problems, known: Spectrum | None = None) -> Batch:
    """Problems whose features are divided by their deviation over the training rows; a pass over the rows."""
    masks, place = np.unique(problems.codes >= 0, axis=0, return_inverse=True)
    sums, squares = _sums_by_cell(features, masks, problems)
    own = place.reshape(-1)[problems.labelling]
    trained, rows = problems.trained.astype(np.float64), problems.rows()
    counts = np.maximum(rows, 1)[:, np.newaxis]
    mean = np.einsum("pc,lpcd->lpd", trained, sums[:, own], optimize=True) / counts
    mean_square = np.einsum("pc,lpcd->lpd", trained, squares[:, own], optimize=True) / counts
    scale = scales(np.sqrt(np.maximum(mean_square - mean**2, 0.0)), mean, standardise=True)
    return Batch(features, problems, rows, mean, scale, known)


def _sums_by_cell(features: Features, masks: NDArray[np.bool_], problems: Problems) -> tuple[Floats, Floats]:
    """Sums of features and of their squares over the rows of each of `masks` (M, N), (L, M, cells, D)."""
    (layers, _, width), cells = features.shape, problems.trained.shape[1]
    sums = np.zeros((layers, len(masks), cells, width))
    squares = np.zeros_like(sums)
    for place, block in features.blocks():
        in_cell = problems.cells[place] == np.arange(cells)[:, np.newaxis]
        members = (masks[:, np.newaxis, place] & in_cell).reshape(-1, block.shape[1]).astype(np.float64)
        sums += (members @ block).reshape(sums.shape)
        squares += (members @ np.square(block)).reshape(sums.shape)
    return sums, squares


def fit_logistic(
    batch: Batch,
    penalties: Floats,
    *,
    start: LogisticFit | None = None,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> LogisticFit:
    """Fit every problem on every layer.

    Args:
        batch: the problems.
        penalties: of each problem on each layer, (L, P).
        start: a solution to begin with, for example that of a neighbouring penalty.
        tolerance: largest component of the gradient, in units of the root of its expected curvature, at which
            a problem counts as solved.
        max_iterations: when to stop otherwise.
    """
    state = _State.begin(batch, penalties, start)
    best = state
    alive = np.ones(penalties.shape[1], dtype=bool)
    iterations = 0
    while iterations < max_iterations:
        iterations += 1
        unsolved = (state.steepness() > tolerance) & ~state.stuck
        if not unsolved.any():
            break
        if unsolved.any(axis=0).mean() < 0.5:  # half of the batch is done: go on with the others
            still = np.asarray(unsolved.any(axis=0))
            best = best.with_problems(alive, state)
            state, batch, penalties = state.only(still), batch.only(still), penalties[:, still]
            alive = _narrowed(alive, still)
            unsolved = unsolved[:, still]
        state = state.step(batch, penalties, unsolved)
    best = best.with_problems(alive, state)
    weights, intercept = _unpacked(best.point, batch.features.shape[2])
    return LogisticFit(weights, intercept, best.objective, best.steepness() <= tolerance, iterations)


@dataclass(frozen=True, slots=True)
class _State:
    """An iterate of every problem. Points and gradients are (L, P, K · (D + 1))."""

    point: Floats
    gradient: Floats
    objective: Floats
    """(L, P)."""
    stuck: NDArray[np.bool_]
    """No step makes it smaller any more, (L, P): rounding has the last word."""
    steps: Floats
    """Differences of points, newest last, (history, L, P, K · (D + 1))."""
    changes: Floats
    """Differences of gradients, alike."""
    inverse: Floats
    """Reciprocal of the curvature to expect of each coordinate if features are independent, as the point."""
    curvature: Floats
    """Of the loss by a logit, as the shares of the classes say, (P, K)."""

    @classmethod
    def begin(cls, batch: Batch, penalties: Floats, start: LogisticFit | None) -> Self:
        layers, _, width = batch.features.shape
        problems, classes = len(batch.problems), batch.problems.classes
        shares = batch.problems.shares()
        if start is not None:
            point = _packed(start.weights, start.intercept)
        else:
            free = np.log(shares) - (np.log1p(-shares) if classes == 1 else np.log(shares).mean(-1)[:, None])
            point = _packed(np.zeros((layers, problems, classes, width)), np.stack([free] * layers))
        objective, gradient = _evaluate(batch, penalties, point)
        history = np.zeros((0, *point.shape))
        stuck = np.zeros(objective.shape, bool)
        inverse = _expected(penalties, classes, width)
        return cls(point, gradient, objective, stuck, history, history, inverse, shares * (1 - shares))

    def steepness(self) -> Floats:
        return np.asarray((np.abs(self.gradient) * np.sqrt(self.inverse)).max(axis=-1))

    def only(self, problems: NDArray[np.bool_]) -> Self:
        def part(name: str) -> Any:
            if name in ("steps", "changes"):
                return getattr(self, name)[:, :, problems]
            return self.curvature[problems] if name == "curvature" else getattr(self, name)[:, problems]

        taken = {field.name: part(field.name) for field in fields(self)}
        return replace(self, **taken)

    def with_problems(self, problems: NDArray[np.bool_], newer: "_State") -> Self:
        """This state with some problems where a newer one has them; histories are left behind."""
        updated = {}
        for name in ("point", "gradient", "objective", "stuck"):
            updated[name] = getattr(self, name).copy()
            updated[name][:, problems] = getattr(newer, name)
        return replace(self, **updated)

    def step(self, batch: Batch, penalties: Floats, unsolved: NDArray[np.bool_]) -> Self:
        """One L-BFGS step of the unsolved problems; the others stay where they are."""
        direction = -self._preconditioned(batch.spectrum, penalties) * unsolved[..., np.newaxis]
        slope = _dot(direction, self.gradient)
        length = np.ones(slope.shape)
        point, objective, gradient = self.point, self.objective, self.gradient
        settled = ~unsolved
        for _ in range(HALVINGS):
            tried = self.point + (length * ~settled)[..., np.newaxis] * direction
            value, slopes = _evaluate(batch, penalties, tried)
            bound = self.objective + ARMIJO * length * slope + ROUNDING * np.abs(self.objective)
            good = ~settled & (value <= bound)
            point = np.where(good[..., np.newaxis], tried, point)
            gradient = np.where(good[..., np.newaxis], slopes, gradient)
            objective = np.where(good, value, objective)
            settled = settled | good
            if settled.all():
                break
            length = np.where(settled, length, length / 2)
        stuck = self.stuck | ~settled
        steps = np.concatenate([self.steps, (point - self.point)[np.newaxis]])[-HISTORY:]
        changes = np.concatenate([self.changes, (gradient - self.gradient)[np.newaxis]])[-HISTORY:]
        return replace(
            self,
            point=point,
            gradient=gradient,
            objective=objective,
            stuck=stuck,
            steps=steps,
            changes=changes,
        )

    def _guessed(self, known: Spectrum | None, penalties: Floats, vector: Floats) -> Floats:
        """A vector, as the point, over the curvature that is expected before any step."""
        if known is None:
            return vector * self.inverse
        by_weight, by_intercept = _unpacked(vector, known.values.shape[1])
        divided = known.divided(by_weight, self.curvature, penalties)
        return _packed(divided, by_intercept / self.curvature)

    def _preconditioned(self, known: Spectrum | None, penalties: Floats) -> Floats:
        """The gradient times the inverse Hessian that the history implies (the two-loop recursion)."""
        result = self.gradient.copy()
        curvatures = [_dot(step, change) for step, change in zip(self.steps, self.changes, strict=True)]
        shares: list[Floats] = []
        for step, change, curvature in list(zip(self.steps, self.changes, curvatures, strict=True))[::-1]:
            share = _ratio(_dot(step, result), curvature)
            result -= share[..., np.newaxis] * change
            shares.append(share)
        result = self._guessed(known, penalties, result)
        if curvatures:
            change = self.changes[-1]
            scale = _ratio(curvatures[-1], _dot(change, self._guessed(known, penalties, change)))
            result *= np.where(scale > 0, scale, 1.0)[..., np.newaxis]
        for step, change, curvature, share in zip(
            self.steps, self.changes, curvatures, shares[::-1], strict=True
        ):
            result += (share - _ratio(_dot(change, result), curvature))[..., np.newaxis] * step
        return result


def probabilities(logits: Floats) -> Floats:
    """Softmax over the last axis, or the logistic function where it has length 1."""
    if logits.shape[-1] == 1:
        small = np.exp(-np.abs(logits))
        return np.asarray(np.where(logits >= 0, 1.0, small) / (1 + small))
    return np.asarray(np.exp(logits - _log_sum(logits)))


def losses(logits: Floats, targets: Floats) -> Floats:
    """Negative log-likelihood of each row, (…, N)."""
    if logits.shape[-1] == 1:
        above = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
        return np.asarray((above - targets * logits)[..., 0])
    return np.asarray(_log_sum(logits)[..., 0] - (logits * targets).sum(axis=-1))


def _evaluate(batch: Batch, penalties: Floats, point: Floats) -> tuple[Floats, Floats]:
    """Objective (L, P) and its gradient, shaped as the point; a pass over the rows."""
    weights, intercept = _unpacked(point, batch.features.shape[2])
    loss, by_weight, by_intercept = batch.loss(weights, intercept)
    objective = loss + penalties / 2 * np.square(weights).sum(axis=(-1, -2))
    by_weight += penalties[..., np.newaxis, np.newaxis] * weights
    return objective, _packed(by_weight, by_intercept)


def _packed(weights: Floats, intercept: Floats) -> Floats:
    joined = np.concatenate([weights, intercept[..., np.newaxis]], axis=-1)
    return joined.reshape(*joined.shape[:2], -1)


def _unpacked(point: Floats, width: int) -> tuple[Floats, Floats]:
    joined = point.reshape(*point.shape[:2], -1, width + 1)
    return joined[..., :width], joined[..., width]


def _log_sum(logits: Floats) -> Floats:
    """Logarithm of the sum of exponentials over the last axis, kept."""
    highest = logits.max(axis=-1, keepdims=True)
    return np.asarray(highest + np.log(np.exp(logits - highest).sum(axis=-1, keepdims=True)))


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("lpq,lpq->lp", one, other))


def _ratio(over: Floats, under: Floats) -> Floats:
    """The quotient, 0 where a problem did not move."""
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def _expected(penalties: Floats, classes: int, width: int) -> Floats:
    """Reciprocal curvature of the objective for features of variance 1 and equally likely classes."""
    share = 1 / max(2, classes)
    loss = share * (1 - share)
    weight = np.repeat(1 / (penalties[..., np.newaxis] + loss), width, axis=-1)
    free = np.full((*penalties.shape, 1), 1 / loss)
    return np.tile(np.concatenate([weight, free], axis=-1), classes)


def _narrowed(alive: NDArray[np.bool_], still: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of all problems are alive when `still` says which of the living go on."""
    narrowed = alive.copy()
    narrowed[alive] = still
    return narrowed
