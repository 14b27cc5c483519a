"""Tables of results: each is made from a frozen dataclass of its rows, which says every column once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, get_type_hints

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Text = str | None
Number = float | None
Count = int | None
Flag = bool | None
Time = datetime | None
"""UTC, without a zone."""
Texts = Sequence[str] | None
Numbers = Sequence[float] | None
Counts = Sequence[int] | None
Vector = NDArray[np.float32] | None

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
ARROW_TYPES: Mapping[Any, pa.DataType] = {
    Text: _TEXT,
    Number: _NUMBER,
    Count: _COUNT,
    Flag: pa.bool_(),
    Time: pa.timestamp("us"),
    Texts: pa.list_(_TEXT),
    Numbers: pa.list_(_NUMBER),
    Counts: pa.list_(_COUNT),
    Vector: pa.list_(pa.float32()),
}
SQL_TYPES: Mapping[Any, str] = {
    Text: "VARCHAR",
    Number: "DOUBLE",
    Count: "BIGINT",
    Flag: "BOOLEAN",
    Time: "TIMESTAMP",
    Texts: "VARCHAR[]",
    Numbers: "DOUBLE[]",
    Counts: "BIGINT[]",
    Vector: "FLOAT[]",
}


class Column(NamedTuple):
    """A column of a table of results."""

    kind: Any
    """Its type in Python, such as `Text`."""
    comment: str
    """What it holds."""
    former: str
    """The name that it has in older parts; "": it never had another."""
    field: str
    """Of the dataclass."""
    former_values: Mapping[str, str]
    """What values are called in older parts → what they are called now."""


def column(comment: str, *, former: str = "", former_values: Mapping[str, str] | None = None) -> Any:
    """A field of a row: what it holds, and what it and its values are called in older parts.

    It may be left out, and is NULL then; no stored row lacks a column whose type is without None.
    """
    return field(
        default=None, metadata={"comment": comment, "former": former, "former_values": former_values or {}}
    )


def now() -> datetime:
    """The present time as tables hold it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


Row = TypeVar("Row", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """A kind of results: the rows of results/<kind>/*.parquet."""

    kind: str
    row: type[Row]
    """Dataclass of a row; a field that ends in "_" is called as a keyword of Python."""
    read_by_views: bool = False
    """Whether documented views read it: they see these columns before there are rows."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """By name, in order."""
        return _columns(self.row)

    def schema(self) -> pa.Schema:
        """For writing a part: each field carries its sentence, which the catalog shows beside the column."""
        return pa.schema(
            pa.field(name, ARROW_TYPES[one.kind], metadata={"comment": one.comment})
            for name, one in self.columns.items()
        )

    def of(self, rows: Iterable[Row]) -> pa.Table:
        """Rows as a part of this table."""
        return pa.Table.from_pylist([self._values(row) for row in rows], schema=self.schema())

    def rows(self, part: pa.Table) -> list[Row]:
        """The rows of a part as records; columns that it lacks are NULL."""
        known = self.columns
        names = [name for name in part.column_names if name in known]
        columns = [part[name].to_pylist() for name in names]
        fields_ = [known[name].field for name in names]
        return [self.row(**dict(zip(fields_, values, strict=True))) for values in zip(*columns, strict=True)]

    def of_columns(self, columns: Mapping[str, Any]) -> pa.Table:
        """Whole columns, Arrow's or sequences, as a part of this table.

        Raises:
            KeyError: a column is missing, or the table has none of that name.
        """
        if unknown := sorted(columns.keys() - self.columns.keys()):
            raise KeyError(f"The table {self.kind} has no column {', '.join(unknown)}.")
        schema = self.schema()
        arrays = {field.name: pa.array(columns[field.name], field.type) for field in schema}
        return pa.table(arrays, schema=schema)

    def _values(self, row: Row) -> dict[str, Any]:
        if not isinstance(row, self.row):
            raise TypeError(f"A row of {self.kind} is a {self.row.__name__}, not a {type(row).__name__}.")
        return {name: getattr(row, one.field) for name, one in self.columns.items()}

    def with_present_names(self, part: pa.Table) -> pa.Table:
        """A stored part with the names that columns and values have now; older parts may have others."""
        part = part.rename_columns(self.present_names(part.column_names))
        for place, name in enumerate(part.column_names):
            former = self.columns[name].former_values if name in self.columns else {}
            if former:
                values = [former.get(value, value) for value in part[name].to_pylist()]
                field = part.schema.field(place)
                part = part.set_column(place, field, pa.array(values, field.type))
        return part

    def present_names(self, names: Sequence[str]) -> list[str]:
        """The names that columns have now; one that has both keeps them."""
        renamed = {one.former: name for name, one in self.columns.items() if name not in names}
        return [renamed.get(name, name) for name in names]

    def sql_columns(self) -> dict[str, str]:
        """Name → type in DuckDB."""
        return {name: SQL_TYPES[one.kind] for name, one in self.columns.items()}


@cache
def _columns(row: type[Any]) -> Mapping[str, Column]:
    kinds = get_type_hints(row)
    return {
        one.name.removesuffix("_"): Column(kinds[one.name] | None, field=one.name, **one.metadata)
        for one in fields(row)
    }
