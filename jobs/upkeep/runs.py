"""Lists, shows, removes and tags runs, and tells which results need them."""

from typing import Any

from jobs.upkeep.run_states import detail, overview
from store.errors import CorruptData, NotFound
from store.opening import Store
from store.run_names import begun_at, resolve_run
from store.tags import read_tags, remove_tag, set_tag, tagged_run, tags_of
from store.upkeep.removal import check_collection_removable, removable_run, remove_run, weigh
from store.upkeep.standing import results_about


def listed_runs(store: Store) -> tuple[list[dict[str, Any]], list[str]]:
    """A row per run, those begun last first, and notes about runs that cannot be read."""
    rows, notes = [], []
    for run_id in store.runs():
        try:
            found = overview(store.run(run_id))
        except CorruptData as error:
            notes.append(f"{run_id} is damaged: {error}")
            continue
        rows.append(
            found | {"tags": tags_of(store.objects, run_id), "begun": begun_at(store.objects, run_id)}
        )
    return sorted(rows, key=lambda row: row["begun"], reverse=True), notes


def shown_run(store: Store, wanted: str) -> dict[str, Any]:
    """One run with what stands on it."""
    run_id = resolve_run(store.objects, wanted)
    known = detail(store.run(run_id))
    return known | {
        "tags": tags_of(store.objects, run_id),
        "begun": begun_at(store.objects, run_id),
        "results": results_about(store.objects, run_id),
    }


def take_run_away(store: Store, wanted: str, *, dry_run: bool) -> dict[str, Any]:
    """Remove a run; returns what went, or would go, and what stays.

    Raises:
        NotFound: there is no such run.
        Conflict: a command is at work on it.
    """
    objects = store.objects
    run_id = removable_run(objects, wanted)
    check_collection_removable(objects, f"runs/{run_id}")
    weight = weigh(objects, f"runs/{run_id}")
    summary = {
        "run": run_id,
        "files": weight.files,
        "bytes": weight.nbytes,
        "tags": tags_of(objects, run_id),
        "results that stay": results_about(objects, run_id),
    }
    if not dry_run:
        remove_run(objects, run_id)
    return summary | {"removed": not dry_run}


def tag_run(store: Store, tag: str, wanted: str, *, dry_run: bool) -> dict[str, Any]:
    """Let a tag name a run; returns what it named before and names now."""
    run_id = resolve_run(store.objects, wanted)
    before = tagged_run(store.objects, tag)
    if not dry_run:
        set_tag(store.objects, tag, run_id)
    return {"tag": tag, "run": run_id, "before": before, "changed": before != run_id and not dry_run}


def forget_tag(store: Store, tag: str, *, dry_run: bool) -> dict[str, Any]:
    """Take a tag away; the run that it names stays."""
    tags = read_tags(store.objects)
    if tag not in tags:
        raise NotFound(f"There is no tag {tag!r} in {store.url}; it has: {', '.join(tags) or 'none'}.")
    if not dry_run:
        remove_tag(store.objects, tag)
    return {"tag": tag, "run": None, "before": tags[tag], "changed": not dry_run}
