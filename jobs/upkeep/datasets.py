"""Lists, shows and removes datasets, and tells what was made from them."""

from typing import Any

from store.datasets import Dataset, users_of, versions_of
from store.errors import counted
from store.opening import Store
from store.upkeep.removal import (
    Weight,
    check_dataset_removable,
    derived_collections,
    remove_dataset,
    runs_from,
    weigh,
)

_PLACES = {"store": "in the store", "local": "in the folder that it was added from"}


def listed_datasets(store: Store) -> list[dict[str, Any]]:
    """A row per dataset."""
    return [_overview(store, store.dataset(name)) for name in store.datasets()]


def shown_dataset(store: Store, name: str) -> dict[str, Any]:
    """One dataset, with its labels and everything that was made from it."""
    dataset = store.dataset(name)
    info = dataset.info
    root = info["root"]
    return _overview(store, dataset) | {
        "hop_seconds": info.get("hop_seconds"),
        "audio": _PLACES.get(root["kind"], root.get("url")),
        "labels": sorted(info["labels"]),
        "made from it": users_of(store.objects, name),
        "notes": info.get("notes") or "(none)",
        "fingerprint": info["fingerprint"],
        "versions": [_version(store.dataset(name, version)) for version in versions_of(store.objects, name)],
    }


def _version(dataset: Dataset) -> str:
    """A version in a line: its clips, and what it changed."""
    said = f"{dataset.version}: {counted(int(dataset.info['counts'].get('clips', 0)), 'clip')}"
    changes = dataset.info.get("changes") or {}
    told = ", ".join(f"{count:,} {kind}" for kind, count in changes.items() if count)
    return f"{said} ({told})" if told else said


def take_dataset_away(store: Store, name: str, *, used_too: bool, dry_run: bool) -> dict[str, Any]:
    """Remove a dataset; returns what went, or would go.

    Raises:
        NotFound: there is no such dataset.
        Conflict: runs came from it, or a command is at work on one of them.
    """
    objects = store.objects
    check_dataset_removable(objects, name, used_too=used_too)
    runs = runs_from(objects, name)
    derived = [] if runs else derived_collections(objects, name)
    weight = sum((weigh(objects, prefix) for prefix in (f"datasets/{name}", *derived)), Weight(0, 0))
    summary = {
        "dataset": name,
        "files": weight.files,
        "bytes": weight.nbytes,
        "codes and features": derived,
        "runs that lose it": runs,
    }
    if not dry_run:
        remove_dataset(objects, name, used_too=used_too)
    return summary | {"removed": not dry_run}


def _overview(store: Store, dataset: Dataset) -> dict[str, Any]:
    info = dataset.info
    clips, seconds = int(info["counts"].get("clips", 0)), float(info.get("clip_seconds") or 0.0)
    return {
        "dataset": dataset.name,
        "format": info.get("format"),
        "clips": clips,
        "clip_seconds": seconds,
        "hours": round(clips * seconds / 3600, 4),
        "failures": int(info["counts"].get("failures", 0)),
        "runs": len(runs_from(store.objects, dataset.name)),
        "bytes": weigh(store.objects, f"datasets/{dataset.name}").nbytes,
    }
