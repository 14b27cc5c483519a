"""Columns of clips.parquet: the fixed ones, and one per label in the narrowest type for its values."""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.records import Clip, Label

RESERVED = (
    "clip_id",
    "uri",
    "start_seconds",
    "duration_seconds",
    "sha256",
    "group_id",
    "split",
    "tail_seconds",
)
_FIXED = [
    ("clip_id", pa.string()),
    ("uri", pa.string()),
    ("start_seconds", pa.float64()),
    ("duration_seconds", pa.float64()),
    ("sha256", pa.string()),
    ("group_id", pa.string()),
    ("split", pa.string()),
    ("tail_seconds", pa.float64()),
]
_TAKEN = frozenset((*RESERVED, "dataset", "_part"))
"""The catalog adds the dataset, and the file that a row came from."""
_ARROW = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
}
_EXACT, _LONGEST = 2**53, 2**63
"""Up to the first a float holds every whole number; 64 bits hold those below the second."""


@dataclass(slots=True)
class LabelTypes:
    """The type of each label over all clips seen: int widens to float, anything else mixed becomes text.

    No digit is lost: "long" are whole numbers that not every float holds, which beside a float become text,
    and so do those that 64 bits do not hold.
    """

    kinds: dict[str, str | None] = field(default_factory=dict)

    def see(self, labels: Mapping[str, Label]) -> None:
        """Take the labels of one more clip into account."""
        for name, value in labels.items():
            self.kinds[name] = _wider(self.kinds.get(name), value)

    def columns(self) -> dict[str, str]:
        """Column of each label; a name that a fixed column has (in any case) gets the prefix `label_`."""
        columns: dict[str, str] = {}
        used = set(_TAKEN)
        for name in self.kinds:
            column = name
            while column.lower() in used:
                column = f"label_{column}"
            used.add(column.lower())
            columns[name] = column
        return columns

    def convert(self, name: str, value: Label) -> Label:
        """A value in the type of its column."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if self.kinds[name] == "str":
            return str(value)
        return float(value) if self.kinds[name] == "float" else value


def clip_schema(types: LabelTypes) -> pa.Schema:
    """Schema of clips.parquet."""
    labels = [(column, _ARROW[types.kinds[name] or "str"]) for name, column in types.columns().items()]
    return pa.schema([*_FIXED, *labels])


def without_rounding(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Tables of clips that can be united: whole numbers that no float holds become text beside floats.

    SQL unites BIGINT and DOUBLE as DOUBLE, which would give two long ids one value.
    """
    long, fractional = set[str](), set[str]()
    for table in tables:
        for column in table.schema:
            if pa.types.is_floating(column.type):
                fractional.add(column.name.lower())
            elif pa.types.is_int64(column.type) and _is_long(table.column(column.name)):
                long.add(column.name.lower())
    return [_as_text(table, long & fractional) for table in tables]


def _is_long(column: pa.ChunkedArray) -> bool:
    ends = pc.min_max(column).as_py()
    return ends["min"] is not None and (ends["min"] < -_EXACT or ends["max"] > _EXACT)


def _as_text(table: pa.Table, names: AbstractSet[str]) -> pa.Table:
    for place, column in enumerate(table.schema):
        if column.name.lower() in names:
            text = pa.field(column.name, pa.string(), metadata=column.metadata)
            table = table.set_column(place, text, table.column(place).cast(pa.string()))
    return table


def failure_schema() -> pa.Schema:
    """Schema of failures.parquet."""
    return pa.schema([(name, pa.string()) for name in ("item", "stage", "error", "message", "uri")])


def row_of_clip(clip: Mapping[str, Any], types: LabelTypes, columns: Mapping[str, str]) -> dict[str, Any]:
    """One row of clips.parquet."""
    row = {name: clip["group" if name == "group_id" else name] for name in RESERVED}
    return row | {columns[name]: types.convert(name, value) for name, value in clip["labels"].items()}


def clip_from_row(row: Mapping[str, Any], columns: Mapping[str, str]) -> Clip:
    """The clip of one row of clips.parquet; `columns` maps labels to their columns."""
    fixed = {("group" if name == "group_id" else name): row[name] for name in RESERVED}
    return Clip(**fixed, labels={name: row[column] for name, column in columns.items()})


def _wider(kind: str | None, value: Label) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return kind
    new = _kind_of(value)
    if kind is None or kind == new:
        return new
    pair = {kind, new}
    if pair == {"int", "long"}:
        return "long"
    return "float" if pair == {"int", "float"} else "str"


def _kind_of(value: Label) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return type(value).__name__
    if -_EXACT <= value <= _EXACT:
        return "int"
    return "long" if -_LONGEST <= value < _LONGEST else "str"
