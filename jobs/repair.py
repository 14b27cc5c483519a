"""`undertone repair`: withdraw what is damaged, so that the commands that made it make it again."""

from functools import partial
from typing import Any

import click

from jobs.completion import optional_run_argument
from jobs.options import format_option, print_result
from jobs.verify import inspected, unchecked_objects, values_of


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
    from store.inspection import damage
    from store.mending import mend
    from store.storage import probe_create

    objects = unchecked_objects(store)
    probe_create(objects)
    damaged = damage(inspected(objects, run))
    done = mend(objects, damaged, again=partial(inspected, objects, run))
    mended = [entry for entry in damaged if entry not in done.left]
    cures = [values_of(entry, objects.url)["cure"].partition("; then ")[2] for entry in mended]
    summary: dict[str, Any] = {
        "units withdrawn": done.units or 0,
        "withdrawn": done.withdrawn or 0,
        "written anew": done.written or 0,
        "next": "; ".join(dict.fromkeys(filter(None, cures))) or "nothing to do",
    }
    if done.left:
        left = {entry.key: values_of(entry, objects.url) for entry in done.left}
        summary["not mended"] = {key: f"{entry['detail']}: {entry['cure']}" for key, entry in left.items()}
    print_result(summary, format_)
    return 1 if done.left else 0
