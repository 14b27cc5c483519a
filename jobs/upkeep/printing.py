"""Print rows of a listing: as a table, or as JSON."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from store.errors import counted

Row = Mapping[str, Any]


def print_rows(rows: Sequence[Row], format_: str, shown: Callable[[Row], Row], *, none: str) -> None:
    """Print rows, `shown` for people; `none` is the sentence where there are no rows."""
    if format_ == "json":
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo(none)
        return
    import pyarrow as pa

    from jobs.terminal.tables import ONLY_JSON, Narrow, write_result

    write_result(
        pa.Table.from_pylist([dict(shown(row)) for row in rows]), "table", narrow=Narrow(beyond=ONLY_JSON)
    )


def day(at: float) -> str:
    """A time of this machine's clock, to the minute; "?" where nobody knows it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at else "?"


def for_people(run: Mapping[str, Any]) -> dict[str, Any]:
    """Format the details of a run whose numbers do not say what they count."""
    return {**run, "layers": counted(run["layers"], "layer")}
