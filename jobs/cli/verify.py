"""`undertone verify`: read everything in a store again and compare it with its records."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option, optional_run_argument
from jobs.upkeep.inspecting import values_of
from jobs.upkeep.verify_options import VerifyOptions

if TYPE_CHECKING:
    from store.arrays.disagreements import Disagreement


@click.command()
@click.argument("store")
@optional_run_argument
@options_of(VerifyOptions)
@format_option
def verify(format_: str, **values: Any) -> int:
    """Read every file again, of a store or of one run with its dataset and codes, and check all of them.

    Goes on after the first damage, and ends with a table of damaged files and what makes each whole again.
    Interrupted, the same command goes on where it stopped. Exits 1 if anything is damaged.

    \b
    Examples:
      undertone verify music.store
      undertone verify music.store songs-musicgen-small
      undertone verify s3://bucket/music.store --sample 1%
    """
    from jobs.upkeep.verifying import amount_read, run_verification
    from store.upkeep.inspection import damage

    done = run_verification(VerifyOptions(**values))
    if format_ == "json":
        click.echo(json.dumps([values_of(entry, done.url) for entry in done.found]))
    else:
        _print(done.found, done.url)
        if note := amount_read(done):
            click.echo(note)
    return 1 if damage(done.found) else 0


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
