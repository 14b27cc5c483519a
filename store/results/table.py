"""Describes a table of results: columns, each with a type and a sentence, said once for all who need them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

TEXT, NUMBER, COUNT, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
TIME = pa.timestamp("us")
"""UTC, without a zone."""
TEXTS, NUMBERS, COUNTS = pa.list_(TEXT), pa.list_(NUMBER), pa.list_(COUNT)
VECTOR = pa.list_(pa.float32())

SQL_TYPES: Mapping[pa.DataType, str] = {
    TEXT: "VARCHAR",
    NUMBER: "DOUBLE",
    COUNT: "BIGINT",
    FLAG: "BOOLEAN",
    TIME: "TIMESTAMP",
    TEXTS: "VARCHAR[]",
    NUMBERS: "DOUBLE[]",
    COUNTS: "BIGINT[]",
    VECTOR: "FLOAT[]",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of results: the rows of results/<kind>/*.parquet."""

    kind: str
    columns: Mapping[str, tuple[pa.DataType, str]]
    """Name → type, and what it holds."""
    read_by_views: bool = False
    """Whether documented views read it: they see these columns before there are rows."""

    def schema(self) -> pa.Schema:
        """For writing a part: each field carries its sentence, which the catalog shows beside the column."""
        return pa.schema(
            pa.field(name, kind, metadata={"comment": comment})
            for name, (kind, comment) in self.columns.items()
        )

    def of(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Rows as a part of this table; columns that a row lacks are NULL.

        Raises:
            KeyError: a row has a column that the table has not, which would be lost.
        """
        given = list(rows)
        if unknown := sorted({name for row in given for name in row} - self.columns.keys()):
            raise KeyError(f"The table {self.kind} has no column {', '.join(unknown)}.")
        return pa.Table.from_pylist(given, schema=self.schema())

    def sql_columns(self) -> dict[str, str]:
        """Name → type in DuckDB."""
        return {name: SQL_TYPES[kind] for name, (kind, _) in self.columns.items()}
