"""`undertone repair`: withdraw damaged units, so that the next `extract` computes them again."""

import click

from jobs.options import format_option, print_result
from jobs.verify import chosen


@click.command()
@click.argument("store")
@click.argument("run", required=False)
@format_option
def repair(store: str, run: str | None, format_: str) -> None:
    """Verify a run, or all, and withdraw the units that are damaged; `extract` then computes them again.

    Refuses while a driver is at work on the run. Intact units are not touched.

    \b
    Examples:
      undertone repair music.store
      undertone repair music.store songs-musicgen-small && undertone extract music.store songs
    """
    from store import open_store
    from store.verification import repair as repair_collection
    from store.verification import verify as verify_collection

    withdrawn = {}
    for collection in chosen(open_store(store, create=True), run):
        disagreements = verify_collection(collection)
        if disagreements:
            withdrawn[collection.prefix] = len(repair_collection(collection, disagreements))
    print_result(
        {
            "units withdrawn": withdrawn or 0,
            "next": "run the same extract command again" if withdrawn else "nothing to do",
        },
        format_,
    )
