"""Turn scores of out-of-fold predictions into rows of `probes` and `confusions`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.concepts import Concept
from analysis.metrics import ClassScores
from analysis.probes.scores import NOT_MEASURABLE, ClassResult, Judged, NumberResult
from store.results.schemas import TABLES

KIND, CONFUSIONS = "probes", "confusions"

Row = dict[str, Any]


def class_rows(concept: Concept, result: ClassResult) -> list[Row]:
    """A row for the concept as a whole, then one per class."""
    common = {
        "concept": concept.name,
        "classes": len(concept.classes),
        "clips": result.rows,
        "groups": result.groups,
    }
    judged = zip([None, *concept.classes], [result.whole, *result.classes], strict=True)
    return [
        common
        | {
            "class": name,
            "accuracy": one.score,
            "accuracy_low": one.low,
            "accuracy_high": one.high,
            "baseline_accuracy": one.baseline,
        }
        | _class_measures(result.scores, place - 1)
        | _comparison(one)
        for place, (name, one) in enumerate(judged)
    ]


def number_row(concept: Concept, result: NumberResult) -> Row:
    """The row of a concept with numbers."""
    return {
        "concept": concept.name,
        "r2": result.whole.score,
        "r2_low": result.whole.low,
        "r2_high": result.whole.high,
        "rmse": result.error,
        "clips": result.rows,
        "groups": result.groups,
    } | _comparison(result.whole)


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


def _comparison(judged: Judged) -> Row:
    """What a score is against its baseline and its control; what is unknown is NULL."""
    control = judged.control
    if control is None:
        return {"controls": 0, "verdict": judged.verdict}
    return {
        "control_accuracy": control.score,
        "control_low": control.low,
        "control_high": control.high,
        "selectivity": judged.score - control.score,
        "within_control": judged.within_control,
        "verdict": judged.verdict,
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


def probes_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `probes`; columns that a row lacks are NULL, and so is NaN."""
    return TABLES[KIND].of(_known(row) for row in rows)


def confusions_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `confusions`."""
    return TABLES[CONFUSIONS].of(rows)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 (NaN)
