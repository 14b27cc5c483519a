"""`undertone verify`: read everything in a store again and compare it with its records."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jobs.cli.options import format_option, optional_run_argument
from jobs.upkeep.inspecting import inspected, unchecked_objects, values_of

if TYPE_CHECKING:
    from store.arrays.verification import Disagreement


@click.command()
@click.argument("store")
@optional_run_argument
@format_option
def verify(store: str, run: str | None, format_: str) -> int:
    """Read every file again, of a store or of one run with its dataset and codes, and check all of them.

    Goes on after the first damage, and ends with a table of damaged files and what makes each whole again.
    Exits 1 if anything is damaged.

    \b
    Examples:
      undertone verify music.store
      undertone verify music.store songs-musicgen-small
    """
    from store.upkeep.inspection import damage

    objects = unchecked_objects(store)
    found = inspected(objects, run)
    if format_ == "json":
        click.echo(json.dumps([values_of(entry, objects.url) for entry in found]))
    else:
        _print(found, objects.url)
    return 1 if damage(found) else 0


def _print(found: "Sequence[Disagreement]", url: str) -> None:
    from store.upkeep.inspection import damage

    notes = Counter((entry.key.rsplit("/", 1)[0], entry.detail) for entry in found if entry.problem == "note")
    for (folder, detail), count in notes.items():
        click.echo(f"note: {count} file{'' if count == 1 else 's'} in {folder}/: {detail}")
    damaged = damage(found)
    if not damaged:
        click.echo("Everything is intact.")
        return
    import pyarrow as pa

    from jobs.terminal.tables import ONLY_JSON, Narrow, write_result

    columns = {"damaged": "key", "what is wrong": "detail", "what cures it": "cure"}
    values = [values_of(entry, url) for entry in damaged]
    rows = [{title: entry[name] for title, name in columns.items()} for entry in values]
    write_result(pa.Table.from_pylist(rows), "table", narrow=Narrow(beyond=ONLY_JSON))
    click.echo(f"{len(damaged)} damaged file{'' if len(damaged) == 1 else 's'}.")
