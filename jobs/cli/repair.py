"""`undertone repair`: remove damaged parts of a store, so that their commands make them again."""

from typing import Any

import click

from jobs.cli.options import format_option, optional_run_argument
from jobs.terminal.results import print_result
from jobs.upkeep.repairing import repaired


@click.command()
@click.argument("store")
@optional_run_argument
@format_option
def repair(store: str, run: str | None, format_: str) -> int:
    """Verify a run, or the whole store, and withdraw what is damaged: the same commands then make it again.

    Units of runs, results, sounds, datasets and caches are taken away; records and array documents are
    written anew. Refuses while a driver is at work. What is intact is not touched. Exits 1 if something is
    left that cannot be mended.

    \b
    Examples:
      undertone repair music.store
      undertone repair music.store songs-musicgen-small
      undertone extract music.store songs
    """
    done = repaired(store, run)
    summary: dict[str, Any] = {
        "units withdrawn": done.mended.units or 0,
        "withdrawn": done.mended.withdrawn or 0,
        "written anew": done.mended.written or 0,
        "next": "; ".join(done.next) or "nothing to do",
    }
    if done.left:
        summary["not mended"] = {entry["key"]: f"{entry['detail']}: {entry['cure']}" for entry in done.left}
    print_result(summary, format_)
    return 1 if done.left else 0
