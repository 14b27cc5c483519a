"""From out-of-fold predictions to rows of the table `probes`."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.group_intervals import Belief, interval_of, r2_belief, share_belief, training_factor
from analysis.held_out import scored_rows
from analysis.metrics import ClassScores, class_scores, r2_of_sums, r2_statistics, root_mean_squared_error
from analysis.moments import Floats
from jobs.fitting.labels import Concept
from jobs.probing.plan import Coverage
from jobs.probing.verdicts import NOT_MEASURABLE, verdict

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Control:
    """Scores of the same fit to shuffled labels; NaN where a class was never scored."""

    mean: Floats
    low: Floats
    high: Floats


def class_rows(
    concept: Concept, coverage: Coverage, codes: NDArray[np.int64], predictions: Floats
) -> tuple[list[Row], ClassScores]:
    """Scores of a concept with classes, as a whole and per class.

    Args:
        concept: the concept.
        coverage: its rows.
        codes: labels that were learned, (1 + controls, n): true ones first, then shuffled ones.
        predictions: out-of-fold scores, (1 + controls, n, C).
    """
    kept = [scored_rows(own, coverage.partition, classes=True) for own in codes]
    right = [
        _right(own[rows], guess[rows]) for own, guess, rows in zip(codes, predictions, kept, strict=True)
    ]
    groups, true = coverage.groups[kept[0]], codes[0][kept[0]]
    scores = class_scores(true, predictions[0][kept[0]])
    score = np.array([scores.accuracy, *scores.recall])
    training = training_factor(coverage.partition, coverage.groups)
    low, high = interval_of([share_belief(groups, right[0], training=training)])
    control = _control(coverage, kept[1:], right[1:], share_belief, _share)
    shares = np.bincount(true, minlength=len(concept.classes)) / len(true)
    baseline = np.array([shares.max(), *shares])
    common = {"classes": len(concept.classes)} | _counts(groups)
    rows: list[Row] = []
    for place, name in enumerate([None, *concept.classes]):
        rows.append(
            common
            | {
                "concept": concept.name,
                "class": name,
                "accuracy": float(score[place]),
                "accuracy_low": float(low[place]),
                "accuracy_high": float(high[place]),
                "baseline_accuracy": float(baseline[place]),
            }
            | _class_measures(scores, place - 1)
            | _comparison(score[place], low[place], baseline[place], control, place)
        )
    return rows, scores


def number_row(concept: Concept, coverage: Coverage, values: Floats, predictions: Floats) -> Row:
    """Scores of a concept with numbers, for values and predictions (1 + controls, n)."""
    kept = [scored_rows(own, coverage.partition, classes=False) for own in values]
    statistics = [
        r2_statistics(own[rows], guess[rows])
        for own, guess, rows in zip(values, predictions, kept, strict=True)
    ]
    groups = coverage.groups[kept[0]]
    score = float(r2_of_sums(statistics[0].sum(axis=0)))
    training = training_factor(coverage.partition, coverage.groups)
    low, high = interval_of([r2_belief(groups, statistics[0], training=training)])
    control = _control(coverage, kept[1:], statistics[1:], r2_belief, r2_of_sums)
    return (
        {
            "concept": concept.name,
            "r2": score,
            "r2_low": float(low),
            "r2_high": float(high),
            "rmse": root_mean_squared_error(values[0][kept[0]], predictions[0][kept[0]]),
        }
        | _counts(groups)
        | _comparison(score, float(low), 0.0, control, 0)
    )


def unmeasured_row(concept: Concept) -> Row:
    """What is said of a concept that the split does not let be measured."""
    classes = len(concept.classes) if concept.kind == "class" else None
    return {"classes": classes, "clips": 0, "groups": 0, "folds": 0, "verdict": NOT_MEASURABLE}


def confusion_rows(concept: Concept, scores: ClassScores) -> Iterator[Row]:
    """Rows of `confusions`, without the pairs that never occurred."""
    for actual, predicted in np.argwhere(scores.confusion):
        yield {
            "actual": concept.classes[actual],
            "predicted": concept.classes[predicted],
            "clips": int(scores.confusion[actual, predicted]),
        }


def _right(codes: NDArray[np.int64], predictions: Floats) -> Floats:
    """Whether a row is right and whether it counts, among all rows and those of each class: (n, 2, 1 + C)."""
    right = predictions.argmax(axis=1) == codes
    member = codes[:, np.newaxis] == np.arange(predictions.shape[1])
    counts = np.concatenate([np.ones((len(codes), 1)), member], axis=1)
    return np.stack([counts * right[:, np.newaxis], counts], axis=1)


def _control(
    coverage: Coverage,
    kept: Sequence[NDArray[np.bool_]],
    statistics: Sequence[Floats],
    belief: Callable[[Any, Floats], Belief],
    score: Callable[[Floats], Floats],
) -> Control | None:
    """Mean and interval of the scores of shuffled labels: where any of the shuffles may lie.

    What the fitting adds to the variance shows in the differences between shuffles, and is not added again.
    """
    able = [(coverage.groups[rows], own) for rows, own in zip(kept, statistics, strict=True) if rows.any()]
    if not able:
        return None
    scores = np.stack([np.atleast_1d(score(own.sum(axis=0))) for _, own in able])
    mean = np.ma.masked_invalid(scores).mean(axis=0).filled(np.nan)
    low, high = interval_of([belief(groups, own) for groups, own in able])
    return Control(mean, np.atleast_1d(low), np.atleast_1d(high))


def _share(sums: Floats) -> Floats:
    """Right rows over rows that count, from sums (2, …)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[0] / sums[1])


def _comparison(score: float, low: float, baseline: float, control: Control | None, place: int) -> Row:
    """What a score is against its baseline and its control; what is unknown is NULL."""
    if control is None:
        said = verdict(score, low, baseline=baseline, control_high=None)
        return {"controls": 0, "verdict": said}
    mean, high = float(control.mean[place]), float(control.high[place])
    return {
        "control_accuracy": mean,
        "control_low": float(control.low[place]),
        "control_high": high,
        "selectivity": float(score) - mean,
        "within_control": None if math.isnan(score) or math.isnan(high) else bool(score <= high),
        "verdict": verdict(score, low, baseline=baseline, control_high=high),
    }


def _class_measures(scores: ClassScores, place: int) -> Row:
    """Measures of one class, or for place -1 of the concept."""
    if place < 0:
        return {
            "balanced_accuracy": scores.balanced_accuracy,
            "macro_f1": scores.macro_f1,
            "roc_auc": scores.macro_roc_auc,
        }
    return {
        "balanced_accuracy": float((scores.recall[place] + scores.specificity[place]) / 2),
        "macro_f1": float(scores.f1[place]),
        "roc_auc": float(scores.roc_auc[place]),
    }


def _counts(groups: Any) -> Row:
    return {"clips": len(groups), "groups": len(np.unique(groups))}
