"""Logistic probes with penalties chosen by nested cross-validation, as `penalties` does for ridge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.guesses import Guesses
from analysis.linear.logistic import (
    TOLERANCE,
    Batch,
    LogisticFit,
    Problems,
    Spectrum,
    fit_logistic,
    logistic_batch,
    probabilities,
    spectrum,
)
from analysis.linear.moments import Floats
from analysis.linear.penalties import PENALTIES, CrossValidation
from analysis.linear.row_blocks import BLOCK_ROWS, CentredRows, RowBlocks, as_blocks
from analysis.splits import Partition

CHOOSING_TOLERANCE = 1e-4
"""Tolerance of the fits that only serve to compare penalties."""
BATCH_NUMBERS = 4_000_000
"""Logits that a block of one batch may have, which bounds its memory."""


@dataclass(frozen=True, slots=True)
class NestedLogistic:
    """Out-of-fold probabilities of several labellings of the same rows, on every layer."""

    guesses: tuple[Guesses, ...]
    """Of each layer; NaN for rows that are not tested or have no label."""
    penalties: Floats
    """Penalty that was chosen, (L, Q, tested)."""
    unconverged: int
    """Final fits that stopped before their gradient was small."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What all steps share."""

    features: CentredRows
    codes: NDArray[np.integer[Any]]
    """(Q, N)."""
    classes: int
    one_vs_rest: bool
    plan: CrossValidation
    cells: NDArray[np.integer[Any]]
    spectrum: Spectrum | None

    @property
    def columns(self) -> int:
        """Problems per labelling and training set."""
        return self.classes if self.one_vs_rest and self.classes > 2 else 1

    @property
    def at_once(self) -> int:
        """Labelled training sets in one batch."""
        layers, rows, _ = self.features.shape
        return max(1, int(BATCH_NUMBERS // (layers * min(rows, BLOCK_ROWS) * self.classes)))

    def problems(self, tasks: Sequence["_Task"]) -> Problems:
        """Of every task, class by class where each is told from the rest."""
        trained = np.ones((len(tasks), self.plan.count), bool)
        for own, task in zip(trained, tasks, strict=True):
            own[list(task.left_out)] = False
        binary = self.classes == 2 or self.one_vs_rest
        positive = np.arange(self.columns) if self.columns > 1 else np.ones(1, np.int64)
        return Problems(
            self.codes,
            self.cells,
            labelling=np.repeat([task.labelling for task in tasks], self.columns),
            trained=np.repeat(trained, self.columns, axis=0),
            positive=np.tile(positive, len(tasks)) if binary else None,
            classes=1 if binary else self.classes,
        )

    def batch(self, tasks: Sequence["_Task"]) -> Batch:
        """The problems with the scales of their features."""
        return logistic_batch(self.features, self.problems(tasks), self.spectrum)


@dataclass(frozen=True, slots=True)
class _Task:
    """One labelling on one training set."""

    labelling: int
    left_out: tuple[int, ...]


def nested_logistic(
    features: Sequence[RowBlocks] | NDArray[Any],
    codes: NDArray[np.integer[Any]],
    classes: int,
    partition: Partition,
    penalties: Sequence[float] = PENALTIES,
    *,
    one_vs_rest: bool = False,
) -> NestedLogistic:
    """Fit, for every layer, labelling and tested cell, a probe that has not seen the cell.

    Penalties are compared by the likelihood of cells left out among the others, each warm-started from the
    next stronger one. Two classes make one binary problem, more a multinomial one or, on request, one
    binary problem per class (whose probabilities then need not sum to 1).

    Args:
        features: (L, N, D), or N rows in blocks for each layer.
        codes: class codes of each labelling, (Q, N); a negative code leaves a row out.
        classes: how many classes there are.
        partition: cells of the rows, and which are tested.
        penalties: to choose from.
        one_vs_rest: binary problems instead of a multinomial one.
    """
    centred = CentredRows([as_blocks(layer) for layer in features])
    plan = CrossValidation(partition.tested, partition.count)
    work = _Work(centred, codes, classes, one_vs_rest, plan, partition.cells, spectrum(centred))
    ordered = np.sort(np.asarray(penalties, dtype=np.float64))[::-1]
    chosen = np.full((len(features), len(codes), partition.count), ordered[0])
    if len(ordered) > 1:
        chosen = _choose(work, ordered)
    found = tuple(Guesses.empty(codes.shape[0], codes.shape[1], classes) for _ in features)
    unconverged = 0
    finals = [_Task(q, (cell,)) for q in range(len(codes)) for cell in partition.tested]
    for tasks in _batches(work, finals):
        own = np.stack([chosen[:, task.labelling, task.left_out[0]] for task in tasks], axis=1)
        batch = work.batch(tasks)
        fit = fit_logistic(batch, np.repeat(own, work.columns, axis=1), tolerance=TOLERANCE)
        unconverged += int((~fit.converged).sum())
        for rows, logits in batch.logits(fit.weights, fit.intercept):
            each = logits.reshape(len(logits), len(tasks), work.columns, *logits.shape[2:])
            for place, task in enumerate(tasks):
                scored = (partition.cells[rows] == task.left_out[0]) & (codes[task.labelling, rows] >= 0)
                if scored.any():
                    said = _as_probabilities(work, each[:, place][:, :, scored])
                    for guesses, own in zip(found, said, strict=True):
                        guesses.put_some(task.labelling, rows, scored, own)
    return NestedLogistic(found, chosen[:, :, list(partition.tested)], unconverged)


def _choose(work: _Work, penalties: Floats) -> Floats:
    """The penalties under which cells left out are most likely, (L, Q, cells)."""
    layers = work.features.shape[0]
    loss = np.zeros((len(penalties), layers, len(work.codes), work.plan.count))
    pairs = [_Task(q, pair) for q in range(len(work.codes)) for pair in work.plan.left_out_pairs()]
    for tasks in _batches(work, pairs):
        batch = work.batch(tasks)
        fit: LogisticFit | None = None
        for place, penalty in enumerate(penalties):
            own = np.full((layers, len(batch.problems)), penalty)
            fit = fit_logistic(batch, own, start=fit, tolerance=CHOOSING_TOLERANCE)
            errors = batch.losses_by_cell(fit.weights, fit.intercept)
            errors = errors.reshape(layers, len(tasks), work.columns, -1).sum(axis=2)
            for number, task in enumerate(tasks):
                for cell, other in (task.left_out, task.left_out[::-1]):
                    loss[place, :, task.labelling, cell] += errors[:, number, other]
    return np.asarray(penalties[loss.argmin(axis=0)])


def _batches(work: _Work, tasks: Sequence[_Task]) -> Iterator[list[_Task]]:
    """Tasks that have something to train on, as many at once as memory allows."""
    rows = work.problems(tasks).rows()[:: work.columns]
    able = [task for task, count in zip(tasks, rows, strict=True) if count > 1]
    for first in range(0, len(able), work.at_once):
        yield able[first : first + work.at_once]


def _as_probabilities(work: _Work, logits: Floats) -> Floats:
    """Logits (L, columns, N, K) as a probability per class, (L, N, C)."""
    found = probabilities(logits)
    if work.classes == 2:
        return np.concatenate([1 - found[:, 0], found[:, 0]], axis=-1)
    return np.moveaxis(found[..., 0], 1, -1) if work.one_vs_rest else found[:, 0]
