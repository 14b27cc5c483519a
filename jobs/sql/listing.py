"""Lists the tables of a catalog, or the columns of one table."""

import click

from jobs.terminal.text import heading, printable, wrapped
from store.catalog.query import View

INDENT = "  "


def print_tables(views: list[View]) -> None:
    """A line or two per table."""
    width = max((len(view.name) for view in views), default=0)
    for view in views:
        click.echo(wrapped(f"{view.name:{width}}  {view.comment}", indent=width + 2))


def print_table(view: View) -> None:
    """A table, what it holds, and its columns with their types and what they mean."""
    heading(view.name, rest=f": {view.comment}")
    width = max(len(column.name) for column in view.columns)
    kind_width = max(len(column.type) for column in view.columns)
    for column in view.columns:
        line = f"{INDENT}{column.name:{width}}  {column.type:{kind_width}}  {column.comment}".rstrip()
        click.echo(wrapped(printable(line), indent=len(INDENT) + width + kind_width + 4))
