"""Logistic probes with penalties chosen by nested cross-validation, as `penalties` does for ridge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.logistic import (
    TOLERANCE,
    LogisticFit,
    fit_logistic,
    logistic_batch,
    losses,
    probabilities,
)
from analysis.linear.moments import Floats
from analysis.linear.penalties import STRENGTHS, CrossValidation
from analysis.splits import Partition

VERSION = 1
"""Of logistic probes, of either kind: raise it with their numbers."""
CHOOSING_TOLERANCE = 1e-4
"""Of the fits that only serve to compare strengths."""
BATCH_NUMBERS = 4_000_000
"""Logits that one batch may have, which bounds its memory."""


@dataclass(frozen=True, slots=True)
class NestedLogistic:
    """Out-of-fold probabilities of several labellings of the same rows, on every layer."""

    probabilities: Floats
    """(L, Q, N, C); NaN for rows that are not tested or have no label."""
    strengths: Floats
    """Strength that was chosen, (L, Q, tested)."""
    unconverged: int
    """Final fits that stopped before their gradient was small."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What all steps share."""

    features: Floats
    """(L, N, D)."""
    codes: NDArray[np.integer[Any]]
    """(Q, N)."""
    classes: int
    one_vs_rest: bool
    cells: NDArray[np.integer[Any]]

    @property
    def columns(self) -> int:
        """Problems per labelling and training set."""
        return self.classes if self.one_vs_rest and self.classes > 2 else 1

    @property
    def at_once(self) -> int:
        """Labelled training sets in one batch."""
        layers, rows, _ = self.features.shape
        return max(1, int(BATCH_NUMBERS // (layers * rows * self.classes)))

    def targets(self, labelling: int) -> Floats:
        """Targets (columns, N, K) of one labelling."""
        named = self.codes[labelling][:, np.newaxis] == np.arange(self.classes)
        one_hot: Floats = named.astype(np.float64)
        if self.classes == 2:
            return one_hot[np.newaxis, :, 1:]
        return one_hot.T[:, :, np.newaxis] if self.one_vs_rest else one_hot[np.newaxis]

    def in_cells(self, cells: Sequence[int], labelling: int) -> NDArray[np.bool_]:
        """Labelled rows of some cells, (N,)."""
        return np.asarray(np.isin(self.cells, list(cells)) & (self.codes[labelling] >= 0))


@dataclass(frozen=True, slots=True)
class _Task:
    """One labelling on one training set."""

    labelling: int
    left_out: tuple[int, ...]


def nested_logistic(
    features: NDArray[Any],
    codes: NDArray[np.integer[Any]],
    classes: int,
    partition: Partition,
    strengths: Sequence[float] = STRENGTHS,
    *,
    one_vs_rest: bool = False,
) -> NestedLogistic:
    """Fit, for every layer, labelling and tested cell, a probe that has not seen the cell.

    Strengths are compared by the likelihood of cells left out among the others, each warm-started from the
    next stronger one. Two classes make one binary problem, more a multinomial one or, on request, one
    binary problem per class (whose probabilities then need not sum to 1).

    Args:
        features: (L, N, D).
        codes: class codes of each labelling, (Q, N); a negative code leaves a row out.
        classes: how many classes there are.
        partition: cells of the rows, and which are tested.
        strengths: to choose from.
        one_vs_rest: binary problems instead of a multinomial one.
    """
    centred = features.astype(np.float64)
    centred -= centred.mean(axis=1, keepdims=True)
    work = _Work(centred, codes, classes, one_vs_rest, partition.cells)
    plan = CrossValidation(partition.tested, partition.count)
    ordered = np.sort(np.asarray(strengths, dtype=np.float64))[::-1]
    chosen = np.full((len(features), len(codes), partition.count), ordered[0])
    if len(ordered) > 1:
        chosen = _choose(work, plan, ordered)
    found = np.full((len(features), *codes.shape, classes), np.nan)
    unconverged = 0
    finals = [_Task(q, (cell,)) for q in range(len(codes)) for cell in partition.tested]
    for tasks in _batches(work, plan, finals):
        own = np.stack([chosen[:, task.labelling, task.left_out[0]] for task in tasks], axis=1)
        fit, logits = _fit(work, plan, tasks, own, tolerance=TOLERANCE)
        unconverged += int((~fit.converged).sum())
        for place, task in enumerate(tasks):
            scored = work.in_cells(task.left_out, task.labelling)
            found[:, task.labelling, scored] = _as_probabilities(work, logits[:, place])[:, scored]
    return NestedLogistic(found, chosen[:, :, list(partition.tested)], unconverged)


def _choose(work: _Work, plan: CrossValidation, strengths: Floats) -> Floats:
    """The strengths under which cells left out are most likely, (L, Q, cells)."""
    layers = len(work.features)
    loss = np.zeros((len(strengths), layers, len(work.codes), plan.count))
    pairs = [_Task(q, pair) for q in range(len(work.codes)) for pair in plan.left_out_pairs()]
    for tasks in _batches(work, plan, pairs):
        fit: LogisticFit | None = None
        for place, strength in enumerate(strengths):
            own = np.full((layers, len(tasks)), strength)
            fit, logits = _fit(work, plan, tasks, own, start=fit, tolerance=CHOOSING_TOLERANCE)
            for task, scores in zip(tasks, logits.swapaxes(0, 1), strict=True):
                errors = losses(scores, work.targets(task.labelling)).sum(axis=1)
                for cell, other in (task.left_out, task.left_out[::-1]):
                    rows = work.in_cells([other], task.labelling)
                    loss[place, :, task.labelling, cell] += errors[:, rows].sum(axis=-1)
    return np.asarray(strengths[loss.argmin(axis=0)])


def _batches(work: _Work, plan: CrossValidation, tasks: Sequence[_Task]) -> Iterator[list[_Task]]:
    """Tasks that have something to train on, as many at once as memory allows."""
    able = [task for task in tasks if work.in_cells(plan.without(*task.left_out), task.labelling).sum() > 1]
    for first in range(0, len(able), work.at_once):
        yield able[first : first + work.at_once]


def _fit(
    work: _Work,
    plan: CrossValidation,
    tasks: Sequence[_Task],
    strengths: Floats,
    *,
    tolerance: float,
    start: LogisticFit | None = None,
) -> tuple[LogisticFit, Floats]:
    """Fit tasks with strengths (L, tasks); gives logits (L, tasks, columns, N, K) too."""
    masks = [work.in_cells(plan.without(*task.left_out), task.labelling) for task in tasks]
    batch = logistic_batch(
        work.features,
        np.concatenate([work.targets(task.labelling) for task in tasks]),
        np.repeat(np.stack(masks), work.columns, axis=0),
    )
    each = np.repeat(strengths, work.columns, axis=1)
    fit = fit_logistic(batch, each, start=start, tolerance=tolerance)
    logits = batch.logits(fit.weights, fit.intercept)
    return fit, logits.reshape(len(logits), len(tasks), work.columns, *logits.shape[2:])


def _as_probabilities(work: _Work, logits: Floats) -> Floats:
    """Logits (L, columns, N, K) as a probability per class, (L, N, C)."""
    found = probabilities(logits)
    if work.classes == 2:
        return np.concatenate([1 - found[:, 0], found[:, 0]], axis=-1)
    return np.moveaxis(found[..., 0], 1, -1) if work.one_vs_rest else found[:, 0]
