"""`undertone du`: show what takes space in a store and in the caches beside it."""

from collections.abc import Mapping
from typing import Any

import click

from jobs.cli.options import format_option
from jobs.terminal.results import readable_bytes


@click.command()
@click.argument("store")
@format_option
def du(store: str, format_: str) -> None:
    """Show what takes space in STORE: activations by run and site, results by kind, caches and the rest.

    Moments and factors are caches of probes; `undertone gc` makes them smaller. What lies outside the store
    stands at the end.

    \b
    Examples:
      undertone du music.store
      undertone du music.store --format json
    """
    from jobs.upkeep.printing import print_rows
    from jobs.upkeep.space import space
    from store import open_store

    rows = space(open_store(store))
    print_rows(rows, format_, _shown, none="The store is empty.")
    if format_ == "text":
        total = sum(row["bytes"] for row in rows if row["in"] == "store")
        click.echo(f"{readable_bytes(total)} in the store.")


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "size": readable_bytes(row["bytes"]),
        "files": f"{row['files']:,}",
        "what": row["what"],
        "of": " · ".join(filter(None, (row["of"], row["part"]))),
    }
