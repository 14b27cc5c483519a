"""The interactive SQL shell: reads statements and commands, and prints answers and tables' columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import click
import pyarrow as pa

from jobs.terminal.tables import Narrow, write_result
from jobs.terminal.text import heading, printable, tell, wrapped
from store.catalog.catalog import refresh_catalog
from store.catalog.query import Column, View, describe_views, run_query
from store.errors import UndertoneError
from store.opening import Store

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


PROMPT, CONTINUED = "sql> ", "...> "
ENDING = ";"
HELP = """\
SELECT …;      run a query; it may have several lines, and ends with ; or an empty line
.tables        list the tables
.table NAME    one table with its columns and what they mean
.help          this list
.quit          leave (so does Ctrl-D); Ctrl-C stops a query
Tab completes names of tables and columns; the arrow keys bring back earlier lines."""


class _Leave(Exception):
    """The shell is to end."""


@dataclass
class Shell:
    """One session on a store."""

    store: Store
    tables: Mapping[str, pa.Table]
    """Tables of the user's own beside those of the catalog."""
    timeout_seconds: float
    read_line: Callable[[str], str]
    """Takes a prompt; raises `EOFError` where there are no more lines, `KeyboardInterrupt` on Ctrl-C."""

    def run(self) -> None:
        """Answer until the user leaves."""
        click.echo(f"{printable(self.store.url)}")
        click.echo(f"End a query with {ENDING}   .tables lists the tables, .help shows more, .quit leaves.")
        while True:
            try:
                statement = self._read_statement()
            except EOFError:
                click.echo()
                return
            except KeyboardInterrupt:  # what was typed is dropped
                click.echo()
                continue
            try:
                self._answer(statement)
            except _Leave:
                return
            except KeyboardInterrupt:
                click.echo("\nStopped.", err=True)
            except UndertoneError as error:
                self._complain(str(error))

    def views(self) -> list[View]:
        """The tables there are now, with their documentation, and those of the user's own."""
        own = [
            View(name, "your own", tuple(Column(one.name, str(one.type), "") for one in table.schema))
            for name, table in self.tables.items()
        ]
        return [*describe_views(refresh_catalog(self.store)), *own]

    def _read_statement(self) -> str:
        """Lines up to one that ends a statement; a command is one line."""
        lines = [self.read_line(PROMPT)]
        if not lines[0].strip() or lines[0].lstrip().startswith("."):
            return lines[0].strip()
        while lines[-1].strip() and not lines[-1].rstrip().endswith(ENDING):
            lines.append(self.read_line(CONTINUED))
        return "\n".join(lines).strip().rstrip(ENDING).strip()

    def _answer(self, statement: str) -> None:
        if statement.startswith("."):
            self._obey(*statement.split())
        elif statement:
            self._ask(statement)

    def _obey(self, command: str, *words: str) -> None:
        match command, words:
            case ((".quit" | ".exit"), ()):
                raise _Leave
            case ".help", ():
                click.echo(HELP)
            case ".tables", ():
                print_tables(self.views())
            case ".table", (name,):
                self._show_table(name)
            case name, () if name[1:].lower() in {view.name.lower() for view in self.views()}:
                self._complain(f"{command} is a table: .table {name[1:]} shows its columns.")
            case _:
                self._complain(f"{command} is none of .tables, .table NAME, .help and .quit.")

    def _show_table(self, name: str) -> None:
        views = {view.name.lower(): view for view in self.views()}
        if name.lower() in views:
            print_table(views[name.lower()])
            return
        near = get_close_matches(name.lower(), views, 1)
        also = f"did you mean {near[0]}?" if near else ".tables lists them."
        self._complain(f"there is no table {name}; {also}")

    def _complain(self, message: str) -> None:
        tell(f"Error: {message}")

    def _ask(self, statement: str) -> None:
        answer = run_query(
            refresh_catalog(self.store), statement, timeout_seconds=self.timeout_seconds, tables=self.tables
        )
        write_result(
            answer,
            "table",
            narrow=Narrow(
                beyond="`undertone sql` with --format csv prints all", columns="SELECT those you want"
            ),
        )
