"""Fit a linear probe to rows and labels, and judge whether its held-out score is better than its controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.concepts import (
    Concept,
    Kind,
    Loss,
    check_loss,
    concept_of,
    matrix_of,
    rare_classes_note,
    require_contrast,
    texts_of,
    without_rare_classes,
)
from analysis.linear.guesses import Guesses
from analysis.linear.penalties import PENALTIES
from analysis.linear.ridge import DualRidge, RidgeProblem
from analysis.linear.row_blocks import HeldRows, solves_by_rows
from analysis.probes.controls import FEW_GROUPS
from analysis.probes.measurable import coverage_notes, is_measurable
from analysis.probes.methods import ProbeMethod
from analysis.probes.out_of_fold import (
    moments_by_cell,
    problem_of_moments,
    ridge_predictions,
)
from analysis.probes.scores import (
    NOT_MEASURABLE,
    ClassResult,
    Control,
    Judged,
    NumberResult,
    class_result,
    number_result,
)
from analysis.probes.targets import labellings, ridge_targets
from analysis.splits import Partition, fold_partition, official_partition
from store.errors import InvalidInput, counted
from store.extensions import PROBES

CURE = "Give labels of more groups."
_UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one class is told from the others."""

    name: str
    score: float
    """Recall: the share of its held-out rows that were named so; NaN where none was scored."""
    interval: tuple[float, float]
    """95 %, over groups."""
    baseline: float
    """Its own share of the rows."""
    control: Control | None
    roc_auc: float
    verdict: str


@dataclass(frozen=True, slots=True, repr=False)
class Probe:
    """The held-out score of a linear probe, beside all that it has to beat."""

    metric: Literal["accuracy", "R²"]
    score: float
    """Accuracy of classes, or R² of numbers, on rows of groups that the probe had not seen."""
    interval: tuple[float, float]
    """95 %, over groups, for probes that are fitted to as many."""
    baseline: float
    """What a constant answer scores: the share of the largest class, or 0."""
    control: Control | None
    """The same fits to labels of other groups; None where none were asked for."""
    verdict: str
    """What the score beats, or the first thing that it does not beat."""
    penalty: float
    """That was chosen, per training row and unit of variance: the median over folds; NaN without one."""
    rows: int
    """Rows that were scored."""
    groups: int
    """Groups that they belong to."""
    folds: int
    """Parts that were held out in turn."""
    classes: tuple[ClassScore, ...]
    """One for each class; empty for numbers."""
    predictions: NDArray[Any]
    """Held-out prediction for each row that was given, (n,): the name of a class (None where the row was not
    held out or has no label), or a number (NaN there)."""
    confusion: NDArray[np.int64]
    """Rows by true and named class, (C, C), in the order of `classes`; (0, 0) for numbers."""
    notes: tuple[str, ...] = ()
    """What to know before believing it."""

    def __repr__(self) -> str:
        low, high = self.interval
        compared = f"baseline {self.baseline:.3f}"
        if self.control is not None:
            compared += f", shuffled labels {self.control!r}"
        rows = f"{counted(self.rows, 'row')} of {counted(self.groups, 'group')}"
        return (
            f"Probe({self.metric} {self.score:.3f} ({low:.3f} to {high:.3f}), {compared}, {rows}: "
            f"{self.verdict})"
        )


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Rows that have a label, with how they are cut."""

    rows: NDArray[Any]
    concept: Concept
    groups: NDArray[np.str_]
    partition: Partition
    places: NDArray[np.intp]
    """Among the rows that were given."""
    notes: list[str]


@dataclass(frozen=True, slots=True)
class _OutOfFold:
    labels: NDArray[Any]
    """True, then shuffled ones, (1 + controls, n)."""
    guesses: Guesses
    penalty: float
    unconverged: int = 0


def probe_arrays(
    X: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    kind: Kind | None = None,
    loss: Loss = "mse",
    folds: int = 5,
    splits: ArrayLike | None = None,
    penalties: Sequence[float] | None = None,
    controls: int = 5,
    seed: int = 0,
    name: str = "y",
) -> Probe:
    """Fit a linear probe for labels on held-out groups: what `undertone.probe` does with arrays.

    Its documentation says what is measured; `undertone probe` finds the same numbers on the same rows.

    Args:
        X: features, (n, D).
        y: a label per row, (n,).
        groups: what a split must not cut through, (n,).
        kind: "class" or "number" where y is not what its type says.
        loss: "mse", "logistic", "logistic_ovr" or the name of a plug-in's probe.
        folds: parts that are held out in turn.
        splits: names of an official split, (n,).
        penalties: to choose from.
        controls: shuffled labellings to compare with.
        seed: of the shuffles.
        name: of the labels, in notes and errors.

    Raises:
        InvalidInput: shapes that do not fit, values that are not finite, or nothing to tell apart.
    """
    given = _labelled(X, y, groups, kind=kind, folds=folds, splits=splits, name=name)
    _check_choices(given.concept, loss, controls)
    chosen = _penalties(penalties)
    notes = given.notes + coverage_notes(given.concept, given.partition)
    if not is_measurable(given.concept, given.partition):
        return _unmeasured(given, np.asarray(y), notes)
    if loss == "mse":
        found = _by_ridge(given, chosen, controls, seed)
    else:
        found = _by_method(given, loss, chosen, controls, seed)
    if found.unconverged:
        notes.append(f"{found.unconverged} logistic fits stopped before they had converged.")
    if controls and len(np.unique(given.groups)) < FEW_GROUPS:
        count = len(np.unique(given.groups))
        notes.append(
            f"{name}: labels of {counted(count, 'group')} can hardly be shuffled; the control says little."
        )
    if given.concept.kind == "class":
        return _of_classes(given, found, len(np.asarray(y)), notes)
    return _of_numbers(given, found, len(np.asarray(y)), notes)


def _labelled(
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None,
    *,
    kind: Kind | None,
    folds: int,
    splits: ArrayLike | None,
    name: str,
) -> _Labelled:
    rows, concept = matrix_of(X), concept_of(name, y, kind=kind)
    names = texts_of(np.arange(len(rows)) if groups is None else np.asarray(groups))
    held = None if splits is None else texts_of(np.asarray(splits))
    lengths = {"y": len(concept.values), "groups": len(names)} | (
        {} if held is None else {"splits": len(held)}
    )
    for what, length in lengths.items():
        if length != len(rows):
            raise InvalidInput(f"X has {len(rows)} rows and {what} {length}: give one for each row.")
    concept, rare = without_rare_classes(concept, names)
    notes = [rare_classes_note(name, rare, rows="rows")] if rare else []
    require_contrast(concept, rows="rows", cure=CURE)
    every = sorted({str(one) for one in names})
    kept = np.flatnonzero(concept.labelled)
    rows, concept, names = rows[kept], concept.subset(kept), names[kept]
    if held is None:
        partition = fold_partition(names, folds, among=every)
    else:
        partition = official_partition(names, held[kept], folds, among=every)
    return _Labelled(rows, concept, names, partition, kept, notes)


def _check_choices(concept: Concept, loss: str, controls: int) -> None:
    check_loss(loss)
    if concept.kind == "number" and loss != "mse":
        raise InvalidInput(
            f"{concept.name} holds numbers, which are fitted with the loss mse alone; if they are names of "
            'classes, say kind="class".'
        )
    if controls < 0:
        raise InvalidInput(f"{controls} controls: use 0 or more.")


def _penalties(given: Sequence[float] | None) -> tuple[float, ...]:
    if given is None:
        return PENALTIES
    chosen = tuple(sorted({float(one) for one in given}))
    if not chosen or not all(0 < one < float("inf") for one in chosen):
        raise InvalidInput(f"Penalties {list(given)}: give positive numbers like 0.01, 1, 100.")
    return chosen


def _by_ridge(given: _Labelled, penalties: tuple[float, ...], controls: int, seed: int) -> _OutOfFold:
    targets = ridge_targets([given.concept], given.groups, controls=controls, seed=seed)
    rows, partition = HeldRows(given.rows), given.partition
    if solves_by_rows(rows):
        problem: RidgeProblem = DualRidge(given.rows, targets.columns(), partition.cells)
    else:
        moments = moments_by_cell(rows, partition)
        problem = problem_of_moments(rows, moments, targets.columns, partition)
    found = ridge_predictions(problem, rows, targets, partition, penalties)
    guesses, penalty = found.of_concept(0)
    return _OutOfFold(targets.labellings[0], guesses, penalty)


def _by_method(
    given: _Labelled, loss: Loss, penalties: tuple[float, ...], controls: int, seed: int
) -> _OutOfFold:
    codes = labellings(given.concept, given.groups, controls=controls, seed=seed)
    method = PROBES.load(loss, ProbeMethod)
    with PROBES.called(loss):
        fitted = method.predict(
            [HeldRows(given.rows)], codes, len(given.concept.classes), given.partition, penalties
        )
    penalty = float(np.median(fitted.penalties[0, 0]))
    return _OutOfFold(codes, fitted.guesses[0], penalty, fitted.unconverged)


def _of_classes(given: _Labelled, found: _OutOfFold, count: int, notes: list[str]) -> Probe:
    concept = given.concept
    result = class_result(concept, given.groups, given.partition, found.labels, found.guesses)
    named = np.full(count, None, dtype=object)
    known = ~np.isnan(found.guesses.scores_of(0))
    best = found.guesses.said[0][known]
    named[given.places[known]] = np.array(concept.classes, dtype=object)[best]
    classes = tuple(
        ClassScore(name, one.score, (one.low, one.high), one.baseline, one.control, float(area), one.verdict)
        for name, one, area in zip(concept.classes, result.classes, result.scores.roc_auc, strict=True)
    )
    return _result("accuracy", given, found.penalty, result, classes, named, result.scores.confusion, notes)


def _of_numbers(given: _Labelled, found: _OutOfFold, count: int, notes: list[str]) -> Probe:
    result = number_result(given.groups, given.partition, found.labels, found.guesses.said)
    predicted = np.full(count, np.nan)
    predicted[given.places] = found.guesses.scores_of(0)
    return _result("R²", given, found.penalty, result, (), predicted, np.zeros((0, 0), np.int64), notes)


def _result(
    metric: Literal["accuracy", "R²"],
    given: _Labelled,
    penalty: float,
    result: ClassResult | NumberResult,
    classes: tuple[ClassScore, ...],
    predictions: NDArray[Any],
    confusion: NDArray[np.int64],
    notes: list[str],
) -> Probe:
    whole: Judged = result.whole
    return Probe(
        metric=metric,
        score=whole.score,
        interval=(whole.low, whole.high),
        baseline=whole.baseline,
        control=whole.control,
        verdict=whole.verdict,
        penalty=penalty,
        rows=result.rows,
        groups=result.groups,
        folds=len(given.partition.tested),
        classes=classes,
        predictions=predictions,
        confusion=confusion,
        notes=tuple(notes),
    )


def _unmeasured(given: _Labelled, y: NDArray[Any], notes: list[str]) -> Probe:
    """What is said of labels that the split does not let be measured."""
    of_classes = given.concept.kind == "class"
    return Probe(
        metric="accuracy" if of_classes else "R²",
        score=_UNKNOWN,
        interval=(_UNKNOWN, _UNKNOWN),
        baseline=_UNKNOWN,
        control=None,
        verdict=NOT_MEASURABLE,
        penalty=_UNKNOWN,
        rows=0,
        groups=0,
        folds=0,
        classes=(),
        predictions=np.full(len(y), None if of_classes else np.nan, dtype=object if of_classes else None),
        confusion=np.zeros((0, 0), np.int64),
        notes=tuple(notes),
    )
