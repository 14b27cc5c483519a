"""Answer one query, list the tables or open a shell, as the options of `undertone sql` say."""

import sys
import time
from pathlib import Path

import click
import pyarrow as pa

from jobs.fitting.user_tables import GivenTables, read_user_tables
from jobs.sql.line_editing import edited_lines
from jobs.sql.options import SqlOptions
from jobs.sql.shell import Shell, print_table
from jobs.terminal import waiting
from jobs.terminal.table_formats import TABLE_FORMATS, TableFormat
from jobs.terminal.tables import Narrow, write_result
from jobs.terminal.text import tell
from jobs.user_files import check_output
from store.catalog.activation_table import activation_table, parse_activation_table
from store.catalog.catalog import refresh_catalog
from store.catalog.folder import is_lasting
from store.catalog.query import View, describe_views, run_query
from store.catalog.vector_serving import Scan
from store.errors import InvalidInput, StorageError
from store.opening import Store, open_store


def run_sql(options: SqlOptions) -> None:
    """Do what the options say, and print what came of it.

    Raises:
        QueryRefused: the query is wrong.
        UsageError: there is no query, and nobody at a terminal to type one.
    """
    output = options.output
    if output is not None:
        check_output(output)
    form = options.form or _form_of(output)
    opened = open_store(options.store)
    started = time.monotonic()
    catalog = refresh_catalog(opened, rebuild=options.rebuild)
    if options.show_catalog:
        click.echo(_lasting(catalog))
    elif options.query is not None:
        visible = _visible_tables(opened, options.activations, options.tables)
        found = run_query(catalog, options.query, timeout_seconds=options.timeout, tables=visible)
        write_result(found, form, output=output, narrow=Narrow(columns="SELECT those you want"))
    elif options.rebuild:
        click.echo(f"Rebuilt {catalog} in {time.monotonic() - started:.1f} s.")
    elif options.form is not None or output is not None:
        _list_views(describe_views(catalog), form)
    else:
        visible = _visible_tables(opened, options.activations, options.tables)
        _talk(Shell(opened, visible, options.timeout, input))


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
    store: Store, activations: tuple[str, ...], paths: GivenTables
) -> dict[str, pa.Table | Scan]:
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
