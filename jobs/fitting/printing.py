"""Print results of `kmeans` and `directions`: notes on standard error, then the best of each site."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click
import pyarrow as pa

from jobs.terminal.tables import ONLY_JSON, Narrow, to_json, to_text
from jobs.terminal.text import columns, tell, wrapped

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Best = TypeVar("Best", bound="DataclassInstance")
"""Of a fit what is printed: a record for each best layer."""
Line = Mapping[str, Any]
"""Of a table for eyes, by column."""
WIDTH = 140


def print_best(
    summary: Mapping[str, Any],
    format_: str,
    *,
    shown: Callable[[Best], Line],
    keep: tuple[str, ...],
    work_line: str,
) -> None:
    """Print `summary`, whose "best" rows `shown` puts into words, for eyes or as one JSON object."""
    for note in summary["notes"]:
        tell(f"Note: {note}")
    if format_ == "json":
        records = json.loads(to_json([asdict(row) for row in summary["best"]]))
        click.echo(json.dumps({**summary, "best": records}))
        return
    click.echo(best_text([shown(row) for row in summary["best"]], keep, width=columns(WIDTH)), nl=False)
    click.echo(wrapped(work_line))


def best_text(rows: Sequence[Line], keep: tuple[str, ...], *, width: int) -> str:
    """A table of the best layers within `width` characters, of which the columns to `keep` go last."""
    narrow = Narrow(keep, beyond=ONLY_JSON, columns="a wider terminal or `undertone sql` shows them")
    return to_text(pa.Table.from_pylist([dict(row) for row in rows]), width=width, narrow=narrow)


def number(value: float | None) -> str:
    """Three digits; a dash where it is unknown."""
    return "–" if value is None else f"{value:.3f}"


def layer_text(layer: int, head: int | None) -> str:
    """Number of a layer, and of the head of it where one alone was read."""
    return str(layer) if head is None else f"{layer}, head {head}"
