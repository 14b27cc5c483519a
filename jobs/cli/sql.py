"""`undertone sql`: one SELECT over the catalog of a store, or a shell for many."""

import sys
import time
from pathlib import Path

import click
import pyarrow as pa

from jobs.fitting.user_tables import read_user_tables
from jobs.sql.line_editing import edited_lines
from jobs.sql.listing import print_table
from jobs.sql.shell import Shell
from jobs.terminal import waiting
from jobs.terminal.tables import TABLE_FORMATS, TableFormat, write_result
from jobs.terminal.text import tell
from jobs.user_files import check_output
from store.catalog.activation_table import FORM, activation_table, parse_activation_table
from store.catalog.catalog import refresh_catalog
from store.catalog.folder import is_lasting
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS, View, describe_views, run_query
from store.errors import InvalidInput, StorageError
from store.opening import Store, open_store


@click.command()
@click.argument("store")
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(TABLE_FORMATS),
    help="How to write the result: by default as the ending of --output says, else as a table for eyes, "
    "which shows the first rows only. csv is exact: NULL is nothing, an empty text two quotation marks. "
    "csv-safe is for spreadsheets, which would run text that begins with = + - @ as a formula: it gets a ' "
    "before it.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the result here, all rows of it."
)
@click.option(
    "--activations",
    multiple=True,
    metavar=FORM,
    help="Show one layer as table NAME (clip_id, vector FLOAT[D]).",
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME=PATH",
    help="Show your CSV, Parquet or JSON file as table NAME.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=DEFAULT_TIMEOUT_SECONDS,
    show_default=True,
    help="Stop the query after so many seconds.",
)
@click.option("--rebuild", is_flag=True, help="Make the catalog anew from the store's files first.")
@click.option(
    "--catalog",
    "show_catalog",
    is_flag=True,
    help="Print the path of the catalog, a DuckDB file in your cache, for other programs to attach.",
)
def sql(
    store: str,
    query: str | None,
    form: TableFormat | None,
    output: Path | None,
    activations: tuple[str, ...],
    tables: tuple[str, ...],
    timeout: float,
    rebuild: bool,
    show_catalog: bool,
) -> None:
    """Run one SELECT over the catalog of STORE; without QUERY, open a shell on a terminal.

    The shell lists tables, explains each, completes names with Tab and keeps a history. Without QUERY, but
    with --format (table, csv, json …) all tables and columns are listed.

    The statement can read these tables and nothing else: no files, no settings, no changes. A damaged file of
    the store takes away the tables that need it; the others answer, with a note.

    \b
    Examples:
      undertone sql music.store
      undertone sql music.store --format table
      undertone sql music.store "SELECT split, genre, count(*) FROM clips GROUP BY ALL"
      undertone sql music.store --activations songs:resid.mean:12=x \\
        "SELECT b.clip_id, array_cosine_similarity(a.vector, b.vector) AS similarity \\
         FROM x a, x b WHERE a.clip_id = '9c1e0b5d2f7a4e38' ORDER BY similarity DESC LIMIT 5"
    """
    if output is not None:
        check_output(output)
    listed = form is not None or output is not None
    form = form or _form_of(output)
    opened = open_store(store)
    started = time.monotonic()
    catalog = refresh_catalog(opened, rebuild=rebuild)
    if show_catalog:
        click.echo(_lasting(catalog))
    elif query is not None:
        visible = _visible_tables(opened, activations, tables)
        write_result(run_query(catalog, query, timeout_seconds=timeout, tables=visible), form, output=output)
    elif rebuild:
        click.echo(f"Rebuilt {catalog} in {time.monotonic() - started:.1f} s.")
    elif listed:
        _list_views(describe_views(catalog), form)
    else:
        _talk(Shell(opened, _visible_tables(opened, activations, tables), timeout, input))


def _lasting(catalog: Path) -> Path:
    if is_lasting(catalog):
        return catalog
    raise StorageError(
        "Your cache cannot be written, so the catalog is gone when this command ends: set XDG_CACHE_HOME to "
        "a folder of yours."
    )


def _form_of(output: Path | None) -> TableFormat:
    """By the ending of the file; a table for eyes on standard output."""
    if output is None:
        return "table"
    for form in TABLE_FORMATS:
        if output.suffix == f".{form}":
            return form
    raise InvalidInput(f"--output {output} does not end in .csv, .json or .parquet: say --format as well.")


def _visible_tables(
    store: Store, activations: tuple[str, ...], paths: tuple[str, ...]
) -> dict[str, pa.Table]:
    """The tables a query sees beside the catalog, by name."""
    requests = [parse_activation_table(text) for text in activations]
    files = read_user_tables(paths)
    names = [request.name for request in requests] + list(files.tables)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(f"the name {repeated[0]} is given to two tables; choose different ones")
    for note in files.notes:
        tell(f"Note: {note}")
    return {request.name: activation_table(store, request) for request in requests} | files.tables


def _talk(shell: Shell) -> None:
    """Open the shell where somebody can type; raises `UsageError` elsewhere."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "Missing argument 'QUERY': a SELECT in quotes. Without one, --format table (or json) lists the "
            "tables and columns, and on a terminal a shell opens; this is none."
        )
    waiting.end()
    with edited_lines(shell.views) as read_line:
        shell.read_line = read_line
        shell.run()


def _list_views(views: list[View], form: TableFormat) -> None:
    if form == "table":
        for view in views:
            print_table(view)
            click.echo()
        return
    rows = [
        {"table": view.name, "column": column.name, "type": column.type, "description": column.comment}
        for view in views
        for column in view.columns
    ]
    write_result(pa.Table.from_pylist(rows), form)
