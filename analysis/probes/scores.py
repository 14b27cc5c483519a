"""Scores of out-of-fold predictions, each beside its interval, its baseline, a control and a verdict."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.group_intervals import Belief, interval_of, r2_belief, share_belief, training_factor
from analysis.linear.held_out import scored_rows
from analysis.linear.moments import Floats
from analysis.metrics import ClassScores, class_scores, r2_of_sums, r2_statistics, root_mean_squared_error
from analysis.splits import Partition

VERSION = 1
"""Of scores, intervals, controls and verdicts, whatever predicted: raise it with their numbers."""
NOT_MEASURABLE = "not measurable"
BETTER = "better than both"
"""Than the baseline and than shuffled labels."""


@dataclass(frozen=True, slots=True)
class Control:
    """The score of the same fit to shuffled labels; NaN where it is unknown."""

    score: float
    """Mean over the shuffles."""
    low: float
    """Lower end of its 95 % interval, over shuffles and groups."""
    high: float

    def __repr__(self) -> str:
        return f"{self.score:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Judged:
    """One score and what it has to beat."""

    score: float
    """Accuracy, recall of a class, or R²; NaN where nothing was scored."""
    low: float
    """Lower end of its 95 % interval over groups."""
    high: float
    baseline: float
    """What a constant answer scores."""
    control: Control | None
    """None where no labels were shuffled."""
    verdict: str

    @property
    def within_control(self) -> bool | None:
        """Whether the score is no better than the upper end of its control; None where that is unknown."""
        if self.control is None or math.isnan(self.score) or math.isnan(self.control.high):
            return None
        return self.score <= self.control.high


@dataclass(frozen=True, slots=True)
class ClassResult:
    """How a probe of classes does, as a whole and per class."""

    whole: Judged
    classes: tuple[Judged, ...]
    """Of each class its recall, against the share that it has."""
    scores: ClassScores
    rows: int
    """Rows that were scored."""
    groups: int


@dataclass(frozen=True, slots=True)
class NumberResult:
    """How a probe of numbers does."""

    whole: Judged
    error: float
    """Root mean squared, in the unit of the numbers."""
    rows: int
    groups: int


@dataclass(frozen=True, slots=True)
class _Controls:
    """Scores of the same fit to shuffled labels, as a whole and per class; NaN where one was never scored."""

    mean: Floats
    low: Floats
    high: Floats

    def at(self, place: int) -> Control:
        return Control(float(self.mean[place]), float(self.low[place]), float(self.high[place]))


def class_result(
    concept: Concept,
    groups: NDArray[Any],
    partition: Partition,
    codes: NDArray[np.int64],
    predictions: Floats,
) -> ClassResult:
    """Scores of a concept with classes.

    Args:
        concept: the concept.
        groups: of its rows, (n,).
        partition: how its rows are cut.
        codes: labels that were learned, (1 + controls, n): true ones first, then shuffled ones.
        predictions: out-of-fold scores, (1 + controls, n, C).
    """
    kept = [scored_rows(own, partition, classes=True) for own in codes]
    right = [
        _right(own[rows], guess[rows]) for own, guess, rows in zip(codes, predictions, kept, strict=True)
    ]
    scored, true = groups[kept[0]], codes[0][kept[0]]
    scores = class_scores(true, predictions[0][kept[0]])
    score = np.array([scores.accuracy, *scores.recall])
    training = training_factor(partition, groups)
    low, high = interval_of([share_belief(scored, right[0], training=training)])
    controls = _controls(groups, kept[1:], right[1:], share_belief, _share)
    shares = np.bincount(true, minlength=len(concept.classes)) / len(true)
    baseline = np.array([shares.max(), *shares])
    numbers = zip(score, low, high, baseline, strict=True)
    judged = [_judged(*own, controls, place) for place, own in enumerate(numbers)]
    return ClassResult(judged[0], tuple(judged[1:]), scores, len(scored), len(np.unique(scored)))


def number_result(
    groups: NDArray[Any], partition: Partition, values: Floats, predictions: Floats
) -> NumberResult:
    """Scores of a concept with numbers, for values and predictions (1 + controls, n)."""
    kept = [scored_rows(own, partition, classes=False) for own in values]
    statistics = [
        r2_statistics(own[rows], guess[rows])
        for own, guess, rows in zip(values, predictions, kept, strict=True)
    ]
    scored = groups[kept[0]]
    score = float(r2_of_sums(statistics[0].sum(axis=0)))
    training = training_factor(partition, groups)
    low, high = interval_of([r2_belief(scored, statistics[0], training=training)])
    controls = _controls(groups, kept[1:], statistics[1:], r2_belief, r2_of_sums)
    return NumberResult(
        _judged(score, float(low), float(high), 0.0, controls, 0),
        root_mean_squared_error(values[0][kept[0]], predictions[0][kept[0]]),
        len(scored),
        len(np.unique(scored)),
    )


def _right(codes: NDArray[np.int64], predictions: Floats) -> Floats:
    """Whether a row is right and whether it counts, among all rows and those of each class: (n, 2, 1 + C)."""
    right = predictions.argmax(axis=1) == codes
    member = codes[:, np.newaxis] == np.arange(predictions.shape[1])
    counts = np.concatenate([np.ones((len(codes), 1)), member], axis=1)
    return np.stack([counts * right[:, np.newaxis], counts], axis=1)


def _controls(
    groups: NDArray[Any],
    kept: Sequence[NDArray[np.bool_]],
    statistics: Sequence[Floats],
    belief: Callable[[Any, Floats], Belief],
    score: Callable[[Floats], Floats],
) -> _Controls | None:
    """Mean and interval of the scores of shuffled labels: where any of the shuffles may lie.

    What the fitting adds to the variance shows in the differences between shuffles, and is not added again.
    """
    able = [(groups[rows], own) for rows, own in zip(kept, statistics, strict=True) if rows.any()]
    if not able:
        return None
    scores = np.stack([np.atleast_1d(score(own.sum(axis=0))) for _, own in able])
    mean = np.ma.masked_invalid(scores).mean(axis=0).filled(np.nan)
    low, high = interval_of([belief(groups_of, own) for groups_of, own in able])
    return _Controls(mean, np.atleast_1d(low), np.atleast_1d(high))


def _share(sums: Floats) -> Floats:
    """Right rows over rows that count, from sums (2, …)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[0] / sums[1])


def _judged(
    score: float, low: float, high: float, baseline: float, controls: _Controls | None, place: int
) -> Judged:
    """A score against its baseline and, where there is one, its control."""
    control = None if controls is None else controls.at(place)
    said = verdict(score, low, baseline=baseline, control_high=None if control is None else control.high)
    return Judged(float(score), float(low), float(high), float(baseline), control, said)


def verdict(score: float, low: float, *, baseline: float, control_high: float | None) -> str:
    """The first that is true of a score with the lower end of its interval.

    Args:
        score: accuracy or R²; NaN where it could not be measured.
        low: lower end of its interval; NaN where it could not be measured.
        baseline: what a constant answer scores: the share of a class, or 0 for R².
        control_high: upper end of the interval of the control, None or NaN without one.
    """
    if score != score or low != low:  # noqa: PLR0124 (NaN)
        return NOT_MEASURABLE
    controlled = control_high is not None and control_high == control_high  # noqa: PLR0124 (NaN)
    if control_high is not None and score <= control_high:
        return "no better than shuffled labels"
    if score <= baseline:
        return "no better than the baseline"
    if low <= baseline:
        return f"interval covers {'the baseline' if baseline else '0'}"
    return BETTER if controlled else "better than the baseline"
