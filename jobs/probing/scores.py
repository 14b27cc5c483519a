"""From out-of-fold predictions to rows of the table `probes`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.bootstrap import LEVEL, bootstrap_draws, group_bootstrap, ratio
from analysis.metrics import ClassScores, class_scores, r2_of_sums, r2_statistics, root_mean_squared_error
from analysis.moments import Floats
from jobs.fitting.labels import Concept
from jobs.probing.plan import Coverage

Row = dict[str, Any]


def class_rows(
    concept: Concept, coverage: Coverage, codes: NDArray[np.int64], predictions: Floats
) -> tuple[list[Row], ClassScores]:
    """Scores of a concept with classes, as a whole and per class.

    Args:
        concept: the concept.
        coverage: its rows.
        codes: labels that were learned, (1 + controls, n): true ones first, then shuffled ones.
        predictions: out-of-fold scores, (1 + controls, n, C); NaN where a row was not tested.
    """
    tested = np.isfinite(predictions[0]).all(axis=-1)
    groups, codes, predictions = coverage.groups[tested], codes[:, tested], predictions[:, tested]
    scores = class_scores(codes[0], predictions[0])
    right = [_right(own, scored) for own, scored in zip(codes, predictions, strict=True)]
    score = np.array([scores.accuracy, *scores.recall])
    low, high = group_bootstrap(groups, right[0], ratio)
    control = _control(groups, right[1:])
    shares = np.bincount(codes[0], minlength=len(concept.classes)) / tested.sum()
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
            | _selectivity(float(score[place]), control, place)
        )
    return rows, scores


def number_row(concept: Concept, coverage: Coverage, values: Floats, predictions: Floats) -> Row:
    """Scores of a concept with numbers, for values and predictions (1 + controls, n)."""
    tested = np.isfinite(predictions[0])
    groups, values, predictions = coverage.groups[tested], values[:, tested], predictions[:, tested]
    statistics = [
        r2_statistics(own, guess)[..., np.newaxis] for own, guess in zip(values, predictions, strict=True)
    ]
    score = float(r2_of_sums(statistics[0].sum(axis=0))[0])
    low, high = group_bootstrap(groups, statistics[0], r2_of_sums)
    control = _control(groups, statistics[1:], r2_of_sums)
    return (
        {
            "concept": concept.name,
            "r2": score,
            "r2_low": float(low[0]),
            "r2_high": float(high[0]),
            "rmse": root_mean_squared_error(values[0], predictions[0]),
        }
        | _counts(groups)
        | _selectivity(score, control, 0)
    )


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
    groups: Any, statistics: list[Floats], score: Any = ratio
) -> tuple[Floats, Floats, Floats] | None:
    """Mean and interval of the scores of shuffled labels, over shuffles and drawn groups."""
    if not statistics:
        return None
    pooled = np.concatenate([bootstrap_draws(groups, one, score) for one in statistics], axis=-1)
    means = np.nanmean([score(one.sum(axis=0)) for one in statistics], axis=0)
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(pooled, [tail, 1 - tail], axis=-1)
    return means, low, high


def _selectivity(score: float, control: tuple[Floats, Floats, Floats] | None, place: int) -> Row:
    if control is None:
        return {"controls": 0}
    mean, low, high = (float(numbers[place]) for numbers in control)
    return {
        "control_accuracy": mean,
        "control_low": low,
        "control_high": high,
        "selectivity": score - mean,
        "within_control": bool(score <= high),
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
