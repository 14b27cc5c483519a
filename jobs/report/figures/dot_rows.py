"""Columns of an answer as the rows of a dot plot."""

from collections.abc import Mapping

from analysis.charts.parts import known
from jobs.report.answers import Row

FLOOR = -0.5
"""R² below it is drawn there: how bad a bad fit is does not matter."""

TRANSFER_MARKS = {
    "value": "transfer",
    "low": "low",
    "high": "high",
    "control_low": "random_low",
    "control_high": "random_high",
    "rival": "prompt",
    "control": "random",
}
"""Columns of a transfer and its controls, by what they are in a row of dots."""


def dot_row(name: str, row: Row, columns: Mapping[str, str]) -> Row:
    """A row named `name`; `columns` says which column of the answer each mark stands for."""
    values = {mark: known(row.get(column)) for mark, column in columns.items()}
    return {"name": name} | {
        mark: value if value is None else max(value, FLOOR) for mark, value in values.items()
    }
