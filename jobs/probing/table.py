"""The tables that probes are kept in: `probes` and `confusions`, with a sentence per column."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

KIND = "probes"
CONFUSIONS = "confusions"

_TYPES = {"text": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}

_COLUMNS = """
probe_id text: id of the fit: one concept on one layer with one loss
run_id text: run whose activations were read
site text: embed, resid, attn, xattn or mlp; or mel, mfcc, chroma: statistics of the audio itself
reduction text: what was kept over time; NULL for handcrafted features
layer int: number of the layer; NULL for handcrafted features
concept text: label column of the query
class text: the class that the row is about, against all others; NULL for the concept as a whole
loss text: mse (ridge), logistic (multinomial; binary for two classes) or logistic_ovr (class against rest)
strength float: penalty per training row and unit of variance that was chosen; the median over folds
folds int: held-out parts that were scored
clips int: clips that were scored: a clip whose class is in no other fold is not
groups int: groups they belong to
classes int: number of classes; NULL for numbers
accuracy float: share of held-out clips whose class was named; for one class its recall
accuracy_low float: lower end of its 95 % interval over groups, for probes fitted to as many groups
accuracy_high float: upper end of that interval
balanced_accuracy float: mean recall of the classes (chance 1 / classes); of one class and the rest (0.5)
macro_f1 float: mean F1 of the classes; for one class its F1
roc_auc float: area under the ROC curve of the class against the others; for a concept the mean over classes
r2 float: share of the variance of held-out numbers that is explained
r2_low float: lower end of its 95 % interval over groups, for probes fitted to as many groups
r2_high float: upper end of that interval
rmse float: root mean squared error of held-out numbers, in their unit
baseline_accuracy float: share of the most frequent class among the scored clips; for one class its own share
control_accuracy float: the same score (R²) after fits to labels of other groups; below 1 / classes by itself
control_low float: lower end of the 95 % interval of that control, over shuffles and groups
control_high float: upper end of that interval
selectivity float: score − control
within_control bool: true when the score is no better than the upper end of its control; NULL if unknown
verdict text: better than both (baseline and shuffled labels), or what it does not beat; or not measurable
controls int: shuffled labellings that the control is made of
labels_hash text: stands for the concept's labels as they were resolved; see results_labels
split text: groups (cross-validation) or official (the test rows of the dataset)
"""

_CONFUSION_COLUMNS = """
probe_id text: the fit; see probes
actual text: class of the clips
predicted text: class that the probe named
clips int: held-out clips with both
"""


def _fields(text: str) -> list[pa.Field]:
    fields = []
    for line in text.strip().splitlines():
        column, comment = line.split(": ", 1)
        name, kind = column.split()
        fields.append(pa.field(name, _TYPES[kind], metadata={"comment": comment}))
    return fields


_CREATED = pa.field("created_at", pa.timestamp("us"), metadata={"comment": "when it was fitted (UTC)"})
PROBES = pa.schema([*_fields(_COLUMNS), _CREATED])
CONFUSION_SCHEMA = pa.schema(_fields(_CONFUSION_COLUMNS))


def probes_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `probes`; columns that a row lacks are NULL, and so is NaN."""
    return pa.Table.from_pylist([_known(row) for row in rows], PROBES)


def confusions_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `confusions`."""
    return pa.Table.from_pylist(list(rows), CONFUSION_SCHEMA)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 (NaN)
