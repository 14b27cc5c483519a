"""Inspect a store, also one that cannot be opened, and name each cure."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.arrays.disagreements import Disagreement
    from store.objects.protocol import ObjectStore


def unchecked_objects(store: str) -> "ObjectStore":
    """The storage of a store, opened also where the file that says that it is one is damaged."""
    from store.errors import CorruptData, Unreadable
    from store.objects.storage import open_objects
    from store.opening import open_store

    try:
        return open_store(store).objects
    except (CorruptData, Unreadable):
        return open_objects(store)


def inspected(objects: "ObjectStore", run: str | None) -> "list[Disagreement]":
    """What disagrees in the run that was named, its codes and its dataset, or in the whole store."""
    from store.upkeep.inspection import inspect

    return inspect(objects, None if run is None else prefixes_of(objects, run))


def values_of(entry: "Disagreement", url: str) -> dict[str, Any]:
    """A disagreement with its cure, as JSON values."""
    from store.upkeep.cures import cure_of

    return asdict(entry) | {"cure": cure_of(entry, url)}


def prefixes_of(objects: "ObjectStore", run: str) -> list[str]:
    """Folders of a run, its codes and its dataset."""
    from store.datasets import dataset_of
    from store.opening import Store

    collection = Store(objects).run(run)
    codes, dataset = collection.document.get("codes"), dataset_of(collection.document)
    others = [f"codes/{codes}" if codes else "", f"datasets/{dataset}" if dataset else ""]
    return [collection.prefix, *filter(None, others)]
