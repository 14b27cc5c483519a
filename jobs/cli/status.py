"""`undertone status`: show every run of a store, or one in detail."""

import json
from collections.abc import Sequence
from shlex import quote
from typing import Any

import click

from jobs.cli.options import format_option, optional_run_argument
from jobs.terminal.results import print_result, readable_bytes
from jobs.terminal.text import tell
from jobs.upkeep.run_states import detail, overviews
from store.errors import counted


@click.command()
@click.argument("store")
@optional_run_argument
@format_option
def status(store: str, run: str | None, format_: str) -> int:
    """Show every run: complete or not, clips, failures, size, model, sites. With RUN, show one in detail.

    Only documents, plans, records and markers are read, and whose the results are; `undertone verify` reads
    everything. Exits 1 if any of them is damaged or gone, and says what cures it.

    \b
    Examples:
      undertone status music.store
      undertone status music.store songs-musicgen-small --format json
    """
    from jobs.upkeep.printing import for_people
    from store import open_store

    opened = open_store(store)
    if run is not None:
        values = detail(opened.run(run))
        print_result(values if format_ == "json" else for_people(values), format_)
        return 0
    runs, notes, is_damaged = overviews(opened)
    if format_ == "json":
        click.echo(json.dumps(runs))
    elif runs:
        _print_table(runs)
    elif not notes:
        names = ", ".join(opened.datasets()) or "none"
        click.echo(
            f"No runs yet; datasets: {names}. Start one with: undertone extract {quote(store)} DATASET"
        )
    for note in notes:
        tell(f"note: {note}")
    return int(is_damaged)


def _print_table(runs: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa

    from jobs.terminal.tables import ONLY_JSON, Narrow, write_result

    rows = [
        {
            "run": run["run"],
            "state": run["state"],
            "clips": f"{run['clips']:,} of {run['planned']:,}" + _gone(run["gone"]),
            "failed": run["failed"],
            "size": readable_bytes(run["bytes"]),
            "model": run["model"] + (" (random weights)" if run["random_weights"] else ""),
            "sites": f"{', '.join(run['sites'])} × {counted(run['layers'], 'layer')}",
        }
        for run in runs
    ]
    write_result(pa.Table.from_pylist(rows), "table", narrow=Narrow(beyond=ONLY_JSON))


def _gone(clips: int) -> str:
    return f" ({clips:,} no longer in the dataset)" if clips else ""
