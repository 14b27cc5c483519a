"""`undertone status`: show every run of a store, or one in detail."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from jobs.cli.completion import optional_run_argument
from jobs.cli.options import format_option, print_result, readable_bytes
from jobs.terminal.text import tell

if TYPE_CHECKING:
    from store.arrays.collection import Collection
    from store.arrays.verification import Disagreement
    from store.opening import Store

_COMPLETION = re.compile(r"records/(\w+/[^/]+)/complete/\d+\.json")


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
    from store import open_store

    opened = open_store(store)
    if run is not None:
        print_result(detail(opened.run(run)), format_)
        return 0
    runs, notes, is_damaged = _overviews(opened)
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


def _overviews(store: "Store") -> tuple[list[dict[str, Any]], list[str], bool]:
    """Every run that can be read, sentences on what is not as it should be, and whether that is damage."""
    from store.catalog.damage import unrecorded_note
    from store.catalog.parts import RESULTS
    from store.errors import CorruptData
    from store.objects.ledger import RECORDS
    from store.upkeep.cures import cure_of
    from store.upkeep.unrecorded import is_whole, unrecorded

    surveys = store.objects.survey(RESULTS).versions, store.objects.survey(RECORDS)
    names = unrecorded(store.objects, surveys[1], surveys[0])
    found = _damage(store)
    notes = [f"{entry.key}: {entry.detail}. Cure: {cure_of(entry, store.url)}." for entry in found]
    runs = list[dict[str, Any]]()
    for run_id in store.runs():
        try:
            runs.append(overview(store.run(run_id)))
        except CorruptData as error:
            if not any(f"runs/{run_id}/" in entry.key for entry in found):
                notes.append(f"{run_id} is damaged: {error}")
    is_damaged = bool(notes) or any(is_whole(store.objects, name) for name in names)
    notes += [unrecorded_note(names)] if names else []
    return runs, [*notes, *_notes_on_gone_runs(store)], is_damaged


def _notes_on_gone_runs(store: "Store") -> list[str]:
    """Results whose run was removed, or lies in another store."""
    from store.errors import CorruptData
    from store.upkeep.standing import kinds_about_gone_runs

    try:
        found = kinds_about_gone_runs(store)
    except CorruptData as error:
        return [f"not all results can be read: {error}"]
    return [
        f"the run {run_id!r} is not in this store, but results about it are: {', '.join(kinds)}."
        for run_id, kinds in found.items()
    ]


def _damage(store: "Store") -> "list[Disagreement]":
    """What is wrong in documents, records and markers, but for what a driver at work is about to write."""
    from store.upkeep.inspection import damage, inspect_documents

    found = damage(inspect_documents(store.objects))
    return [entry for entry in found if not _is_about_to_be(store, entry)]


def _is_about_to_be(store: "Store", entry: "Disagreement") -> bool:
    """Whether a record of completion is missing and its driver still at work."""
    from store.arrays.collection import open_collection

    match = _COMPLETION.fullmatch(entry.key)
    if match is None or store.objects.exists(entry.key):
        return False
    return _is_at_work(open_collection(store.objects, match[1]))


def overview(run: "Collection") -> dict[str, Any]:
    """One run in a line, as JSON values."""
    document = run.document
    states = Counter(status.state for status in run.statuses().values())
    planned = int(document["clips"])
    return {
        "run": run.prefix.rsplit("/", 1)[-1],
        "state": _state(run),
        "clips": sum(states.values()),
        "planned": planned,
        "failed": states["failed"],
        "bytes": sum(marker.nbytes for marker in run.markers().values()),
        "model": document["model"]["name"],
        "random_weights": document["model"]["random_weights"],
        "sites": list(document["capture"]["sites"]),
        "layers": len(document["capture"]["layers"]),
        "reductions": list(document["capture"]["reductions"]),
    }


def detail(run: "Collection") -> dict[str, Any]:
    """Everything worth knowing of one run."""
    markers = run.markers()
    seconds: Counter[str] = Counter()
    for marker in markers.values():
        seconds.update(marker.seconds)
    overall = overview(run)
    return {
        **overall,
        "units": f"{len(markers)} of {len(run.units())}",
        "arrays": {
            name: f"(clip, {', '.join(spec.dimensions)}) {spec.shape} {spec.dtype}"
            for name, spec in run.arrays.items()
        },
        "worker_seconds": {stage: round(value, 1) for stage, value in seconds.most_common()},
        "devices": sorted({str(marker.provenance.get("device")) for marker in markers.values()}),
        "text": run.document["text"] or "(none)",
        "dtype": run.document["dtype"],
        "resampler": run.document.get("resampler", "(not recorded)"),
    }


def _state(run: "Collection") -> str:
    if not run.missing_units():
        return "complete"
    return "running" if _is_at_work(run) else "partial"


def _is_at_work(run: "Collection") -> bool:
    from store.heartbeats import is_at_work

    return is_at_work(run.heartbeat_age_seconds())


def _print_table(runs: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa

    from jobs.terminal.tables import write_result

    rows = [
        {
            "run": run["run"],
            "state": run["state"],
            "clips": f"{run['clips']:,} of {run['planned']:,}",
            "failed": run["failed"],
            "size": readable_bytes(run["bytes"]),
            "model": run["model"] + (" (random weights)" if run["random_weights"] else ""),
            "sites": f"{', '.join(run['sites'])} × {run['layers']} layers",
        }
        for run in runs
    ]
    write_result(pa.Table.from_pylist(rows), "table")
