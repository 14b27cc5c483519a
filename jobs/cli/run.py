"""`undertone run`: list, show, remove and tag the runs of a store."""

from collections.abc import Mapping
from typing import Any

import click

from jobs.cli.options import complete_runs, dry_run_option, format_option, run_argument, tag_argument
from jobs.terminal.results import print_result, readable_bytes
from jobs.terminal.text import tell


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def run() -> None:
    """List, show, remove and tag the runs of a store."""


@run.command("list")
@click.argument("store")
@format_option
def list_(store: str, format_: str) -> None:
    """List the runs of STORE with their tags, those begun last first.

    Wherever a command asks for a RUN, its id will do, a tag, `latest`, or the beginning of an id.

    \b
    Examples:
      undertone run list music.store
    """
    from jobs.upkeep.printing import print_rows
    from jobs.upkeep.runs import listed_runs
    from store import open_store

    rows, notes = listed_runs(open_store(store))
    print_rows(rows, format_, _shown, none="There are no runs; `undertone extract` makes one.")
    for note in notes:
        tell(f"note: {note}")


@run.command()
@click.argument("store")
@run_argument
@format_option
def show(store: str, run: str, format_: str) -> None:
    """Show one run in detail: its arrays, where it was computed, its tags, and results about it.

    \b
    Examples:
      undertone run show music.store latest
    """
    from jobs.upkeep.printing import day, for_people
    from jobs.upkeep.runs import shown_run
    from store import open_store

    values = shown_run(open_store(store), run)
    if format_ == "text":
        values = for_people(values) | {"begun": day(values["begun"])}
    print_result(values, format_)


@run.command()
@click.argument("store")
@run_argument
@dry_run_option
@format_option
def remove(store: str, run: str, dry_run: bool, format_: str) -> None:
    """Remove RUN with its activations and the tags that name it.

    Results about it stay, and are still found by SQL; `undertone status` and `verify` say that their run is
    gone. Its codes stay with the dataset: extracting again needs no audio. Refuses while a command is at work
    on it. If it is interrupted, the same command finishes it.

    \b
    Examples:
      undertone run remove music.store songs-musicgen-small --dry-run
      undertone run remove music.store songs-musicgen-small
    """
    from jobs.upkeep.runs import take_run_away
    from store import open_store

    summary = take_run_away(open_store(store), run, dry_run=dry_run)
    print_result(summary, format_)


@run.command()
@click.argument("store")
@tag_argument
@click.argument("run", default="latest", shell_complete=complete_runs)
@click.option("--remove", "forget", is_flag=True, help="Take the tag away; the run stays.")
@dry_run_option
@format_option
def tag(store: str, tag: str, run: str, forget: bool, dry_run: bool, format_: str) -> None:
    """Give RUN the name TAG, which every command takes from then on; by default the run that was begun last.

    A tag names one run; given again it moves.

    \b
    Examples:
      undertone run tag music.store baseline
      undertone run tag music.store baseline songs-musicgen-small
      undertone run tag music.store baseline --remove
    """
    from jobs.upkeep.runs import forget_tag, tag_run
    from store import open_store

    opened = open_store(store)
    change = (
        forget_tag(opened, tag, dry_run=dry_run) if forget else tag_run(opened, tag, run, dry_run=dry_run)
    )
    print_result(change, format_)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    from jobs.upkeep.printing import day

    return {
        "run": row["run"],
        "tags": ", ".join(row["tags"]),
        "begun": day(row["begun"]),
        "state": row["state"],
        "clips": f"{row['clips']:,}",
        "size": readable_bytes(row["bytes"]),
    }
