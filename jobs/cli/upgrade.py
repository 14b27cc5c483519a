"""`undertone upgrade`: bring a store of an older version up to date, in place."""

import sys
from shlex import quote
from typing import Any

import click

from jobs.cli.options import format_option
from jobs.terminal.results import print_result
from jobs.terminal.text import printable, unescaped
from jobs.terminal.waiting import ERASE_REST


@click.command()
@click.argument("store")
@format_option
def upgrade(store: str, format_: str) -> int:
    """Write the checksums that this version wants beside everything that an older version stored.

    Believes nothing that disagrees with the checksums it had: what is damaged is named and left out, with
    what makes it again. May be interrupted and run again. Refuses while a driver is at work. Exits 1 if
    something was left out.

    \b
    Examples:
      undertone upgrade music.store
    """
    from jobs.generate.records import is_whole_flac
    from store.objects.storage import open_objects
    from store.upkeep.upgrading import upgrade as upgrade_store

    objects = open_objects(store)
    done = upgrade_store(objects, is_whole_sound=is_whole_flac, report=report_upgrade)
    summary: dict[str, Any] = {
        "store": objects.url,
        "format": f"{done.before} → {done.after}"
        if done.before != done.after
        else f"{done.after}, as before",
        "recorded": len(done.recorded),
        "units written anew": done.units,
        "left out": done.left_out or 0,
        "next": f"undertone verify {quote(store)}",
    }
    print_result(summary, format_)
    return 1 if done.left_out else 0


def report_upgrade(what: str, done: int, total: int) -> None:
    """One line that is written over on a terminal; elsewhere one for each whole thing."""
    if sys.stderr.isatty():
        line = f"\r{printable(what)}: {done} of {total}{ERASE_REST}"
        click.echo(line, file=unescaped(sys.stderr), nl=done == total)
    elif done == total:
        click.echo(f"{what}: {done} of {total}", err=True)
