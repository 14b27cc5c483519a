"""A store with every view there can be, all values NULL: to list columns, and to try queries on."""

from collections.abc import Sequence
from pathlib import Path

from store.catalog.catalog import refresh_catalog
from store.datasets import add_dataset
from store.opening import open_store
from store.records import Clip
from store.results.parts import write_results
from store.results.schemas import TABLES


def example_catalog(folder: Path, labels: Sequence[str] = ()) -> Path:
    """The catalog of such a store below `folder`; its one clip has these labels, if any."""
    store = open_store(folder / "example.store", create=True)
    if labels:
        clip = Clip(
            "0" * 16, "a.wav", 0.0, 4.0, "group", "train", "0" * 64, 0.0, dict.fromkeys(labels, "text")
        )
        add_dataset(store.objects, "songs", {"format": "folder"}, [clip], [])
    for kind, table in TABLES.items():
        write_results(store, kind, {"kind": kind}, table.of([{}]))
    return refresh_catalog(store)
