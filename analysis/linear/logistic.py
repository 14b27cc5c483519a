"""Logistic regression with an L2 penalty, many problems at once: batched over layers, folds and labels.

For training rows (x, y), n of them, with features divided by their standard deviation, each problem minimises
mean(loss) + strength / 2 · ‖w‖², intercept free. The loss is softmax's over K classes, or for K = 1 the
binary one, so scikit-learn's `LogisticRegression(C=1 / (strength * n))` on standardised features is the same.
The optimiser is L-BFGS (Liu & Nocedal 1989) with a history per problem.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats, scales

HISTORY = 10
MAX_ITERATIONS = 500
TOLERANCE = 1e-6
ARMIJO = 1e-4
HALVINGS = 30
ROUNDING = 1e-15
"""Relative change of the objective that means nothing."""


@dataclass(frozen=True, slots=True)
class Batch:
    """P problems on the same rows, on each of L layers."""

    features: Floats
    """(L, N, D), near zero mean."""
    targets: Floats
    """One-hot (P, N, K), or for K = 1 zeros and ones."""
    training: Floats
    """1 for the rows a problem trains on, otherwise 0, (P, N)."""
    mean: Floats
    """Of the training rows, (L, P, D)."""
    scale: Floats
    """Their standard deviation, infinite for constant features, (L, P, D)."""

    @property
    def rows(self) -> Floats:
        """Number of training rows, (P,)."""
        return np.asarray(self.training.sum(axis=1))

    def only(self, problems: NDArray[np.bool_]) -> "Batch":
        """Some of the problems."""
        return replace(
            self,
            targets=self.targets[problems],
            training=self.training[problems],
            mean=self.mean[:, problems],
            scale=self.scale[:, problems],
        )

    def logits(self, weights: Floats, intercept: Floats) -> Floats:
        """(L, P, N, K) for standardised weights (L, P, K, D) and intercepts (L, P, K)."""
        raw: Floats = weights / self.scale[:, :, np.newaxis]
        layers, problems, classes, width = raw.shape
        products = raw.reshape(layers, -1, width) @ self.features.transpose(0, 2, 1)
        free = intercept - np.einsum("lpkd,lpd->lpk", raw, self.mean)
        logits = products.reshape(layers, problems, classes, -1) + free[..., np.newaxis]
        return np.asarray(logits.transpose(0, 1, 3, 2))

    def gradient(self, residuals: Floats) -> tuple[Floats, Floats]:
        """Derivatives of the loss by weights and intercepts, for residuals (L, P, N, K)."""
        layers, problems, rows, classes = residuals.shape
        flat = residuals.transpose(0, 1, 3, 2).reshape(layers, -1, rows)
        by_weight = (flat @ self.features).reshape(layers, problems, classes, -1)
        by_intercept = residuals.sum(axis=2)
        by_weight -= by_intercept[..., np.newaxis] * self.mean[:, :, np.newaxis]
        return by_weight / self.scale[:, :, np.newaxis], by_intercept


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


def logistic_batch(features: Floats, targets: Floats, training: NDArray[Any]) -> Batch:
    """Problems with targets (P, N, K) and training masks (P, N) on features (L, N, D)."""
    masks, place = np.unique(np.asarray(training, dtype=np.float64), axis=0, return_inverse=True)
    counts = masks.sum(axis=1)[:, np.newaxis]
    mean = masks @ features / counts
    deviation = np.empty_like(mean)
    for number, mask in enumerate(masks):
        centred = features[:, mask > 0] - mean[:, number, np.newaxis]
        deviation[:, number] = np.sqrt(np.square(centred).mean(axis=1))
    scale = scales(deviation, mean, standardise=True)
    place = place.reshape(-1)
    return Batch(features, targets, np.asarray(training, np.float64), mean[:, place], scale[:, place])


def fit_logistic(
    batch: Batch,
    strengths: Floats,
    *,
    start: LogisticFit | None = None,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> LogisticFit:
    """Fit every problem on every layer.

    Args:
        batch: the problems.
        strengths: of each problem on each layer, (L, P).
        start: a solution to begin with, for example that of a neighbouring strength.
        tolerance: largest component of the gradient, in units of the root of its expected curvature, at which
            a problem counts as solved.
        max_iterations: when to stop otherwise.
    """
    state = _State.begin(batch, strengths, start)
    best = state
    alive = np.ones(strengths.shape[1], dtype=bool)
    iterations = 0
    while iterations < max_iterations:
        iterations += 1
        unsolved = (state.steepness() > tolerance) & ~state.stuck
        if not unsolved.any():
            break
        if unsolved.any(axis=0).mean() < 0.5:  # half of the batch is done: go on with the others
            still = np.asarray(unsolved.any(axis=0))
            best = best.with_problems(alive, state)
            state, batch, strengths = state.only(still), batch.only(still), strengths[:, still]
            alive = _narrowed(alive, still)
            unsolved = unsolved[:, still]
        state = state.step(batch, strengths, unsolved)
    best = best.with_problems(alive, state)
    width = batch.features.shape[2]
    weights, intercept = _unpacked(best.point, width)
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
    """Reciprocal of the curvature to expect of each coordinate: the optimiser's first guess, as the point."""

    @classmethod
    def begin(cls, batch: Batch, strengths: Floats, start: LogisticFit | None) -> Self:
        layers, _, width = batch.features.shape
        problems, _, classes = batch.targets.shape
        point = np.zeros((layers, problems, classes * (width + 1)))
        if start is not None:
            point = _packed(start.weights, start.intercept)
        objective, gradient = _evaluate(batch, strengths, point)
        history = np.zeros((0, *point.shape))
        stuck = np.zeros(objective.shape, bool)
        return cls(point, gradient, objective, stuck, history, history, _expected(strengths, classes, width))

    def steepness(self) -> Floats:
        return np.asarray((np.abs(self.gradient) * np.sqrt(self.inverse)).max(axis=-1))

    def only(self, problems: NDArray[np.bool_]) -> Self:
        taken = {
            field.name: getattr(self, field.name)[:, :, problems]
            if field.name in ("steps", "changes")
            else getattr(self, field.name)[:, problems]
            for field in fields(self)
        }
        return replace(self, **taken)

    def with_problems(self, problems: NDArray[np.bool_], newer: "_State") -> Self:
        """This state with some problems where a newer one has them; histories are left behind."""
        updated = {}
        for name in ("point", "gradient", "objective", "stuck"):
            updated[name] = getattr(self, name).copy()
            updated[name][:, problems] = getattr(newer, name)
        return replace(self, **updated)

    def step(self, batch: Batch, strengths: Floats, unsolved: NDArray[np.bool_]) -> Self:
        """One L-BFGS step of the unsolved problems; the others stay where they are."""
        direction = -self._preconditioned() * unsolved[..., np.newaxis]
        slope = _dot(direction, self.gradient)
        length = np.ones(slope.shape)
        point, objective, gradient = self.point, self.objective, self.gradient
        settled = ~unsolved
        for _ in range(HALVINGS):
            tried = self.point + (length * ~settled)[..., np.newaxis] * direction
            value, slopes = _evaluate(batch, strengths, tried)
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

    def _preconditioned(self) -> Floats:
        """The gradient times the inverse Hessian that the history implies (the two-loop recursion)."""
        result = self.gradient.copy()
        curvatures = [_dot(step, change) for step, change in zip(self.steps, self.changes, strict=True)]
        shares: list[Floats] = []
        for step, change, curvature in list(zip(self.steps, self.changes, curvatures, strict=True))[::-1]:
            share = _ratio(_dot(step, result), curvature)
            result -= share[..., np.newaxis] * change
            shares.append(share)
        result *= self.inverse
        if curvatures:
            change = self.changes[-1]
            scale = _ratio(curvatures[-1], _dot(change, change * self.inverse))
            result *= np.where(scale > 0, scale, 1.0)[..., np.newaxis]
        for step, change, curvature, share in zip(
            self.steps, self.changes, curvatures, shares[::-1], strict=True
        ):
            result += (share - _ratio(_dot(change, result), curvature))[..., np.newaxis] * step
        return result


def probabilities(logits: Floats) -> Floats:
    """Softmax over the last axis, or the logistic function where it has length 1."""
    if logits.shape[-1] == 1:
        return np.asarray(np.exp(-np.logaddexp(0, -logits)))
    return np.asarray(np.exp(logits - _log_sum(logits)))


def losses(logits: Floats, targets: Floats) -> Floats:
    """Negative log-likelihood of each row, (…, N)."""
    if logits.shape[-1] == 1:
        return np.asarray((np.logaddexp(0, logits) - targets * logits)[..., 0])
    return np.asarray(_log_sum(logits)[..., 0] - (logits * targets).sum(axis=-1))


def _evaluate(batch: Batch, strengths: Floats, point: Floats) -> tuple[Floats, Floats]:
    """Objective (L, P) and its gradient, shaped as the point."""
    weights, intercept = _unpacked(point, batch.features.shape[2])
    logits = batch.logits(weights, intercept)
    shares = (batch.training / np.maximum(batch.rows, 1)[:, np.newaxis])[np.newaxis]
    loss = (losses(logits, batch.targets) * shares).sum(axis=-1)
    objective = loss + strengths / 2 * np.square(weights).sum(axis=(-1, -2))
    residuals = (probabilities(logits) - batch.targets) * shares[..., np.newaxis]
    by_weight, by_intercept = batch.gradient(residuals)
    by_weight += strengths[..., np.newaxis, np.newaxis] * weights
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


def _expected(strengths: Floats, classes: int, width: int) -> Floats:
    """Reciprocal curvature of the objective for features of variance 1 and equally likely classes."""
    share = 1 / max(2, classes)
    loss = share * (1 - share)
    weight = np.repeat(1 / (strengths[..., np.newaxis] + loss), width, axis=-1)
    free = np.full((*strengths.shape, 1), 1 / loss)
    return np.tile(np.concatenate([weight, free], axis=-1), classes)


def _narrowed(alive: NDArray[np.bool_], still: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of all problems are alive when `still` says which of the living go on."""
    narrowed = alive.copy()
    narrowed[alive] = still
    return narrowed
