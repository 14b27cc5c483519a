"""Scores of out-of-fold predictions, each beside its interval, its baseline, a control and a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.concepts import Concept
from analysis.group_intervals import (
    Belief,
    ShareBelief,
    interval_of,
    r2_belief,
    share_belief_of_totals,
    training_factor,
)
from analysis.linear.guesses import Guesses
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
    guesses: Guesses,
) -> ClassResult:
    """Scores of a concept with classes.

    Args:
        concept: the concept.
        groups: of its rows, (n,).
        partition: how its rows are cut.
        codes: labels that were learned, (1 + controls, n): true ones first, then shuffled ones.
        guesses: what was said of the rows out of fold.
    """
    numbers, classes = np.unique(groups, return_inverse=True)[1], len(concept.classes)
    training = training_factor(partition, numbers)
    found = [
        _shares(own, said, numbers, scored_rows(own, partition, classes=True), classes, factor)
        for own, said, factor in zip(codes, guesses.said, [training, *[1.0] * len(codes)], strict=False)
    ]
    kept = scored_rows(codes[0], partition, classes=True)
    scores = class_scores(
        codes[0][kept], guesses.said[0][kept], lambda place: guesses.scores_of(place)[kept], classes
    )
    low, high = interval_of([found[0].belief])
    controls = _controls([one for one in found[1:] if one.rows])
    shares = np.bincount(codes[0][kept], minlength=classes) / kept.sum()
    baseline = np.array([shares.max(), *shares])
    measured = zip(np.array([scores.accuracy, *scores.recall]), low, high, baseline, strict=True)
    judged = [_judged(*own, controls, place) for place, own in enumerate(measured)]
    return ClassResult(judged[0], tuple(judged[1:]), scores, int(kept.sum()), len(np.unique(numbers[kept])))


def number_result(
    groups: NDArray[Any], partition: Partition, values: Floats, predictions: Floats
) -> NumberResult:
    """Scores of a concept with numbers, for values and predictions (1 + controls, n)."""
    numbers = np.unique(groups, return_inverse=True)[1]
    training = training_factor(partition, numbers)
    kept = scored_rows(values[0], partition, classes=False)
    found = [
        _explained(own, said, numbers, scored_rows(own, partition, classes=False), factor)
        for own, said, factor in zip(values, predictions, [training, *[1.0] * len(values)], strict=False)
    ]
    low, high = interval_of([found[0].belief])
    controls = _controls([one for one in found[1:] if one.rows])
    return NumberResult(
        _judged(float(found[0].scores), float(low), float(high), 0.0, controls, 0),
        root_mean_squared_error(values[0][kept], predictions[0][kept]),
        int(kept.sum()),
        len(np.unique(numbers[kept])),
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What one labelling tells: its scores side by side (…), and where they may lie."""

    rows: int
    scores: Floats
    belief: Belief


def _shares(
    codes: NDArray[np.int64],
    said: NDArray[Any],
    groups: NDArray[np.intp],
    kept: NDArray[np.bool_],
    classes: int,
    training: float,
) -> _Told:
    """Share of right rows among all and among those of each class, (1 + C,), one after the other."""
    codes, right, groups = codes[kept], (said == codes)[kept], groups[kept]
    count = int(groups.max(initial=-1)) + 1
    beliefs, scores = [], []
    for place in range(-1, classes):
        own = slice(None) if place < 0 else codes == place
        sizes = np.bincount(groups[own], minlength=count).astype(np.float64)
        hits: Floats = np.bincount(groups[own], right[own], minlength=count).astype(np.float64)
        beliefs.append(share_belief_of_totals(hits, sizes, training=training))
        scores.append(_share(hits.sum(), sizes.sum()))
    share = np.stack([one.share for one in beliefs])
    belief = ShareBelief(share, np.stack([one.trials for one in beliefs]))
    return _Told(len(codes), np.array(scores), belief)


def _explained(
    values: Floats, said: Floats, groups: NDArray[np.intp], kept: NDArray[np.bool_], training: float
) -> _Told:
    """R² of numbers."""
    statistics = r2_statistics(values[kept], said[kept])
    belief = r2_belief(groups[kept], statistics, training=training)
    return _Told(int(kept.sum()), r2_of_sums(statistics.sum(axis=0)), belief)


def _controls(told: Sequence[_Told]) -> _Controls | None:
    """Mean and interval of the scores of shuffled labels: where any of the shuffles may lie.

    What the fitting adds to the variance shows in the differences between shuffles, and is not added again.
    """
    if not told:
        return None
    scores = np.stack([np.atleast_1d(one.scores) for one in told])
    mean = np.ma.masked_invalid(scores).mean(axis=0).filled(np.nan)
    low, high = interval_of([one.belief for one in told])
    return _Controls(mean, np.atleast_1d(low), np.atleast_1d(high))


def _share(right: float, rows: float) -> float:
    """Right rows over rows that count; NaN without any."""
    return right / rows if rows else math.nan


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
