"""`undertone repair`: withdraw what is damaged, so that the commands that made it make it again."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from jobs.cli.completion import optional_run_argument
from jobs.cli.options import format_option, print_result
from jobs.cli.verify import inspected, unchecked_objects, values_of

if TYPE_CHECKING:
    from store.upkeep.mending import Mended


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
      undertone repair music.store songs-musicgen-small && undertone extract music.store songs
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


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair has done."""

    mended: "Mended"
    next: list[str]
    """What makes again what was withdrawn."""
    left: list[dict[str, Any]]
    """What cannot be mended, with its cure."""


def repaired(store: str, run: str | None) -> Repaired:
    """Withdraw what is damaged of a store, or of one run; raises `Conflict` while a driver is at work."""
    from store.objects.storage import probe_create
    from store.upkeep.inspection import damage
    from store.upkeep.mending import mend

    objects = unchecked_objects(store)
    probe_create(objects)
    damaged = damage(inspected(objects, run))
    done = mend(objects, damaged, again=partial(inspected, objects, run))
    mended = [entry for entry in damaged if entry not in done.left]
    cures = [values_of(entry, objects.url)["cure"].partition("; then ")[2] for entry in mended]
    left = {entry.key: values_of(entry, objects.url) for entry in done.left}
    return Repaired(done, list(dict.fromkeys(filter(None, cures))), list(left.values()))
