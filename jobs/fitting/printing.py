"""Prints results of `kmeans` and `directions`: notes on standard error, then the best of each site."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import click
import pyarrow as pa

from jobs.terminal.tables import to_json, to_text
from jobs.terminal.text import columns, tell

Row = dict[str, Any]
WIDTH = 140


def print_best(
    summary: Mapping[str, Any], format_: str, *, shown: Callable[[Row], Row], work_line: str
) -> None:
    """Print `summary`, whose "best" rows `shown` puts into words, for eyes or as one JSON object."""
    for note in summary["notes"]:
        tell(f"Note: {note}")
    if format_ == "json":
        click.echo(json.dumps({**summary, "best": json.loads(to_json(summary["best"]))}))
        return
    click.echo(
        to_text(pa.Table.from_pylist([shown(row) for row in summary["best"]]), width=columns(WIDTH)), nl=False
    )
    click.echo(work_line)


def number(value: float | None) -> str:
    """Three digits; a dash where it is unknown."""
    return "–" if value is None else f"{value:.3f}"
