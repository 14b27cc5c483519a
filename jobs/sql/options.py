"""Options of `undertone sql`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jobs.fitting.user_tables import GivenTables
from jobs.option import Option, check_values
from jobs.terminal.table_formats import TableFormat
from store.catalog.activation_table import FORM
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS


@dataclass(frozen=True, slots=True)
class SqlOptions:
    """Arguments of `undertone sql`, as given."""

    store: str
    query: str | None = None
    form: Annotated[
        TableFormat | None,
        Option(
            "How to write the result: by default as the ending of --output says, else as a table for eyes, "
            "which shows the first rows only. csv is exact: NULL is nothing, an empty text two quotation "
            "marks. csv-safe is for spreadsheets, which would run text that begins with = + - @ as a "
            "formula: it gets a ' before it.",
            flag="--format",
        ),
    ] = None
    output: Annotated[Path | None, Option("Write the result here, all rows of it.")] = None
    activations: Annotated[
        tuple[str, ...], Option("Show one layer as table NAME (clip_id, vector FLOAT[D]).", metavar=FORM)
    ] = ()
    tables: Annotated[
        GivenTables,
        Option("Show your CSV, Parquet or JSON file as table NAME.", flag="--table", metavar="NAME=PATH"),
    ] = ()
    timeout: Annotated[float, Option("Stop the query after so many seconds.", least=0, exclusive=True)] = (
        DEFAULT_TIMEOUT_SECONDS
    )
    rebuild: Annotated[bool, Option("Make the catalog anew from the store's files first.")] = False
    show_catalog: Annotated[
        bool,
        Option(
            "Print the path of the catalog, a DuckDB file in your cache, for other programs to attach.",
            flag="--catalog",
        ),
    ] = False

    def __post_init__(self) -> None:
        check_values(self)
