"""Answers to SQL and results of fits in Python: Arrow tables that pandas and polars read."""

from typing import TYPE_CHECKING, Any

from jobs.api.shown import html_table
from jobs.terminal.tables import SHOWN_ROWS, Narrow, shown, to_text, unique_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import pyarrow as pa
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store.errors import counted

SHOWN_WIDTH = 120
PYTHON = Narrow(beyond=".df() holds all", columns="SELECT those you want")


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
        return to_text(self._table, width=SHOWN_WIDTH, narrow=PYTHON).rstrip("\n")

    def _repr_html_(self) -> str:
        part = self._table.slice(0, SHOWN_ROWS)
        columns = [column.to_pylist() for column in part.columns]
        rows = ([shown(value) for value in row] for row in zip(*columns, strict=True))
        total = len(self)
        note = f"{total} row{'' if total == 1 else 's'}" + (
            f", the first {SHOWN_ROWS} shown" if total > SHOWN_ROWS else ""
        )
        return html_table(self.columns, rows, note=note)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Findings:
    """Results of all layers of a run; they are stored, and `store.sql` finds them too."""

    best: Answer
    """The best layer of each concept, site and reduction, the best first."""
    everything: Answer
    """All rows that were asked for, as the store has them."""
    fitted: int
    """How many were fitted now."""
    known: int
    """How many were stored already."""
    notes: tuple[str, ...]
    """What to know before believing them."""

    def __repr__(self) -> str:
        work = f"{self.fitted} fitted, {self.known} stored before, {counted(len(self.notes), 'note')}"
        return f"{self.best!r}\n{work}"

    def _repr_html_(self) -> str:
        return self.best._repr_html_()


def answer_of(rows: Sequence[Mapping[str, Any]]) -> Answer:
    """Rows as an answer."""
    import pyarrow as pa

    return Answer(pa.Table.from_pylist([dict(row) for row in rows]))
