"""Answers to SQL in Python: Arrow tables that pandas and polars read, shown as tables in notebooks."""

from typing import TYPE_CHECKING, Any

from jobs.api.shown import html_table
from jobs.terminal.tables import SHOWN_ROWS, shown, to_text, unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import pyarrow as pa

SHOWN_WIDTH = 120


class Answer:
    """A table that a query gave.

    Whatever takes Arrow takes it: `pa.table(answer)`, `polars.from_arrow(answer)`, DuckDB's `FROM answer`.
    """

    def __init__(self, table: "pa.Table") -> None:
        self._table = table.rename_columns(unique_names(table.column_names))

    def arrow(self) -> "pa.Table":
        """The rows as a `pyarrow.Table`, not copied."""
        return self._table

    def df(self) -> "pd.DataFrame":
        """The rows as a `pandas.DataFrame`; lists stay NumPy arrays."""
        return self._table.to_pandas()

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, by column."""
        found: list[dict[str, Any]] = self._table.to_pylist()
        return found

    @property
    def columns(self) -> list[str]:
        """Names of the columns; repeated ones are numbered."""
        names: list[str] = self._table.column_names
        return names

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> "Iterator[dict[str, Any]]":
        return iter(self.rows())

    def __getitem__(self, column: str) -> list[Any]:
        """The values of one column."""
        values: list[Any] = self._table[column].to_pylist()
        return values

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return to_text(self._table, width=SHOWN_WIDTH, beyond=".df() holds all").rstrip("\n")

    def _repr_html_(self) -> str:
        part = self._table.slice(0, SHOWN_ROWS)
        columns = [column.to_pylist() for column in part.columns]
        rows = ([shown(value) for value in row] for row in zip(*columns, strict=True))
        total = len(self)
        note = f"{total} row{'' if total == 1 else 's'}" + (
            f", the first {SHOWN_ROWS} shown" if total > SHOWN_ROWS else ""
        )
        return html_table(self.columns, rows, note=note)
