"""Tell the state of every run of a store, or of one in detail, from documents, plans and markers."""

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from store.arrays.collection import Collection
    from store.arrays.disagreements import Disagreement
    from store.opening import Store

_COMPLETION = re.compile(r"records/(\w+/[^/]+)/complete/\d+\.json")


def overviews(store: "Store") -> tuple[list[dict[str, Any]], list[str], bool]:
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
    states = run.counts()
    planned = run.plan().clip_ids.unique()
    return {
        "run": run.prefix.rsplit("/", 1)[-1],
        "state": _state(run),
        "clips": sum(states.values()),
        "planned": len(planned),
        "gone": _gone(run, planned),
        "failed": states["failed"],
        "bytes": run.commits().nbytes,
        "model": document["model"]["name"],
        "random_weights": document["model"]["random_weights"],
        "sites": list(document["capture"]["sites"]),
        "layers": len(document["capture"]["layers"]),
        "reductions": list(document["capture"]["reductions"]),
    }


def _gone(run: "Collection", planned: "pa.Array") -> int:
    """How many clips of a run the newest version of its dataset no longer has."""
    import pyarrow.compute as pc

    from store.datasets import dataset_of, read_dataset, versions_of
    from store.errors import CorruptData, NotFound

    name = dataset_of(run.document)
    if name is None or len(versions_of(run.objects, name)) == 1:
        return 0
    try:
        kept = pc.is_in(planned, read_dataset(run.objects, name).table()["clip_id"])
    except (CorruptData, NotFound):  # is told of the dataset; the run is whole
        return 0
    return len(planned) - int(pc.sum(kept).as_py() or 0)


def detail(run: "Collection") -> dict[str, Any]:
    """Everything worth knowing of one run."""
    commits = run.commits()
    seconds, devices = Counter[str](), set[str]()
    for row in commits.rows(["provenance", "seconds"]):
        seconds.update(json.loads(row["seconds"]))
        devices.add(str(json.loads(row["provenance"]).get("device")))
    overall = overview(run)
    return {
        **overall,
        "units": f"{len(commits)} of {len(run.plan())}",
        "arrays": {
            name: f"(clip, {', '.join(spec.dimensions)}) {spec.shape} {spec.dtype}"
            for name, spec in run.arrays.items()
        },
        "worker_seconds": {stage: round(value, 1) for stage, value in seconds.most_common()},
        "devices": sorted(devices),
        "text": run.document["text"] or "(none)",
        "dtype": run.document["dtype"],
        "resampler": run.document.get("resampler", "(not recorded)"),
    }


def _state(run: "Collection") -> str:
    if run.is_complete():
        return "complete"
    return "running" if _is_at_work(run) else "partial"


def _is_at_work(run: "Collection") -> bool:
    from store.heartbeats import is_at_work

    return is_at_work(run.heartbeat_age_seconds())
