"""Names of the ways to write a table; they stand apart from the writers, which take time to load."""

from typing import Literal, get_args

TableFormat = Literal["table", "csv", "csv-safe", "json", "parquet"]
TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
"""How a table is written: for eyes, or for programs; csv-safe holds nothing that a spreadsheet would run."""
