"""`undertone gc`: remove litter of killed commands, and caches over a budget."""

from collections.abc import Mapping
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import dry_run_option, format_option
from jobs.terminal.results import readable_bytes
from jobs.upkeep.options import TidyOptions


@click.command()
@click.argument("store")
@options_of(TidyOptions)
@dry_run_option
@format_option
def gc(store: str, dry_run: bool, format_: str, **values: Any) -> None:
    """Remove from STORE what killed commands left, heartbeats of the dead, and caches that can be made again.

    May run while other commands write: nothing that is young or in use is touched. What a record names is
    removed only if it is a cache, or the state of a k-means that nobody went on with.

    \b
    Examples:
      undertone gc music.store --dry-run
      undertone gc music.store --budget 10GB
      undertone gc music.store --budget 0 --features
    """
    from jobs.upkeep.printing import print_rows
    from jobs.upkeep.space import tidy
    from store import open_store

    rows = tidy(open_store(store), TidyOptions(**values).wanted, dry_run=dry_run)
    print_rows(rows, format_, _shown, none="There is nothing to remove.")
    if format_ == "text" and rows:
        total = readable_bytes(sum(row["bytes"] for row in rows))
        click.echo(f"{total} would be free; leave out --dry-run to do it." if dry_run else f"{total} freed.")


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"size": readable_bytes(row["bytes"]), "files": f"{row['files']:,}", "what": row["what"]}
