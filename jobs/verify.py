"""`undertone verify`: read every committed shard again and compare it with its marker."""

import json
from typing import TYPE_CHECKING, Any

import click

from jobs.options import format_option

if TYPE_CHECKING:
    from store import Store
    from store.collection import Collection


@click.command()
@click.argument("store")
@click.argument("run", required=False)
@format_option
def verify(store: str, run: str | None, format_: str) -> int:
    """Re-read committed shards of one run, or of every run and all codes, and compare checksums.

    Exits 1 if anything disagrees; `undertone repair` then queues what is damaged.

    \b
    Examples:
      undertone verify music.store
      undertone verify music.store songs-musicgen-small
    """
    from store import open_store

    found = [finding for collection in chosen(open_store(store), run) for finding in findings(collection)]
    if format_ == "json":
        click.echo(json.dumps(found))
    else:
        for finding in found:
            click.echo(f"{finding['problem']:<10} {finding['key']}: {finding['detail']}")
        click.echo(_verdict(len(found)))
    return 1 if found else 0


def _verdict(count: int) -> str:
    if not count:
        return "Everything committed is intact."
    return f"{count} disagreement{'' if count == 1 else 's'}; undertone repair withdraws what is damaged."


def chosen(store: "Store", run: str | None) -> "list[Collection]":
    """The run that was named with the codes it reads, or every collection of the store."""
    if run is None:
        return [*map(store.run, store.runs()), *map(store.codes, store.all_codes())]
    collection = store.run(run)
    return [collection, *(map(store.codes, filter(None, [collection.document.get("codes")])))]


def findings(collection: "Collection") -> list[dict[str, Any]]:
    """What disagrees in a collection, as JSON values."""
    from dataclasses import asdict

    from store.verification import verify as verify_collection

    return [asdict(finding) for finding in verify_collection(collection)]
