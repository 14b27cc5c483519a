"""Turn scores of out-of-fold predictions into rows of `probes` and `confusions`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.concepts import Concept
from analysis.metrics import ClassScores
from analysis.probes.scores import NOT_MEASURABLE, ClassResult, Judged, NumberResult
from store.results.fits import PROBES, ConfusionRow, ProbeRow


def class_rows(fit: ProbeRow, concept: Concept, result: ClassResult) -> list[ProbeRow]:
    """A row for the concept as a whole, then one per class; `fit` is what they have in common."""
    scores = result.scores
    common = replace(fit, classes=len(concept.classes), clips=result.rows, groups=result.groups)
    whole = replace(
        common,
        balanced_accuracy=scores.balanced_accuracy,
        macro_f1=scores.macro_f1,
        roc_auc=scores.macro_roc_auc,
    )
    of_classes = [
        replace(
            common,
            class_=name,
            balanced_accuracy=float((scores.recall[place] + scores.specificity[place]) / 2),
            macro_f1=float(scores.f1[place]),
            roc_auc=float(scores.roc_auc[place]),
        )
        for place, name in enumerate(concept.classes)
    ]
    judged = zip([whole, *of_classes], [result.whole, *result.classes], strict=True)
    return [_with_accuracy(row, one) for row, one in judged]


def number_row(fit: ProbeRow, result: NumberResult) -> ProbeRow:
    """The row of a concept with numbers."""
    return replace(
        _compared(fit, result.whole),
        r2=result.whole.score,
        r2_low=result.whole.low,
        r2_high=result.whole.high,
        rmse=result.error,
        clips=result.rows,
        groups=result.groups,
    )


def unmeasured_row(fit: ProbeRow, concept: Concept) -> ProbeRow:
    """What is said of a concept that the split does not let be measured."""
    classes = len(concept.classes) if concept.kind == "class" else None
    return replace(fit, classes=classes, clips=0, groups=0, folds=0, verdict=NOT_MEASURABLE)


def confusion_rows(probe_id: str, concept: Concept, scores: ClassScores) -> Iterator[ConfusionRow]:
    """Rows of `confusions`, without the pairs that never occurred."""
    for actual, predicted in np.argwhere(scores.confusion):
        yield ConfusionRow(
            probe_id=probe_id,
            actual=concept.classes[actual],
            predicted=concept.classes[predicted],
            clips=int(scores.confusion[actual, predicted]),
        )


def _with_accuracy(row: ProbeRow, judged: Judged) -> ProbeRow:
    return replace(
        _compared(row, judged),
        accuracy=judged.score,
        accuracy_low=judged.low,
        accuracy_high=judged.high,
        baseline_accuracy=judged.baseline,
    )


def _compared(row: ProbeRow, judged: Judged) -> ProbeRow:
    """The row with what its score is against its control; what is unknown is NULL."""
    control = judged.control
    if control is None:
        return replace(row, controls=0, verdict=judged.verdict)
    return replace(
        row,
        control_accuracy=control.score,
        control_low=control.low,
        control_high=control.high,
        selectivity=judged.score - control.score,
        within_control=judged.within_control,
        verdict=judged.verdict,
    )


def probes_table(rows: Iterable[ProbeRow]) -> pa.Table:
    """Rows as a part of `probes`, with NULL for NaN."""
    table = PROBES.of(rows)
    return pa.table([_without_nan(column) for column in table.columns], schema=table.schema)


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
