"""Reads which items have stored embeddings or judgements, and by which model."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluate.items import Items
from jobs.evaluate.listeners import CLAP
from jobs.evaluate.records import EMBEDDINGS, EVALUATIONS
from store.catalog.asking import Catalog
from store.errors import MissingRows
from store.opening import Store


def heard_items(store: Store, listener: str, version: str) -> set[tuple[str, str]]:
    """(item_id, checksum) of every item that a listener has heard."""
    if listener.partition(":")[0] == CLAP:
        condition = "clap_fingerprint = $version"
        found = _ask(store, EMBEDDINGS, "item_id, sha256", condition, version=version)
    else:
        condition = "scorer = $listener AND scorer_version = $version"
        found = _ask(store, EVALUATIONS, "item_id, sha256", condition, listener=listener, version=version)
    checksums = [checksum or "" for checksum in found["sha256"].to_pylist()]
    return set(zip(found["item_id"].to_pylist(), checksums, strict=True))


def read_embeddings(store: Store, items: Items, fingerprint: str) -> tuple[list[int], NDArray[np.float32]]:
    """The stored embeddings of items.

    Returns:
        Places of the items that have one, and the embeddings (n, E) in that order.

    Raises:
        MissingRows: none of them has.
    """
    columns, condition = "item_id, sha256, embedding", "clap_fingerprint = $version"
    found = _ask(store, EMBEDDINGS, columns, condition, version=fingerprint)
    keys = zip(found["item_id"].to_pylist(), found["sha256"].to_pylist(), strict=True)
    rows = {(item_id, checksum or ""): row for row, (item_id, checksum) in enumerate(keys)}
    places = [place for place, item in enumerate(items.members) if (item.item_id, item.sha256) in rows]
    if not places:
        raise MissingRows(
            "None of these items has a stored embedding of this CLAP; `undertone evaluate` makes them."
        )
    chosen = [rows[items.members[place].item_id, items.members[place].sha256] for place in places]
    vectors = found["embedding"].combine_chunks().take(pa.array(chosen))
    return places, vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(
        len(chosen), -1
    )


def _ask(store: Store, view: str, columns: str, condition: str, **parameters: Any) -> pa.Table:
    """Rows of a view of results, none where nothing of the kind was ever stored."""
    catalog = Catalog.of(store)
    if not catalog.has(view):
        return pa.table({name: pa.array([], pa.string()) for name in columns.split(", ")})
    query = f"SELECT {columns} FROM {view} WHERE {condition}"  # noqa: S608 (our own words)
    return catalog.ask(query, timeout_seconds=None, **parameters)
