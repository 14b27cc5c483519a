"""Rows of results/embeddings and results/evaluations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluate.items import Item, Items
from store.catalog.asking import Catalog
from store.errors import MissingRows
from store.opening import Store
from store.results.schemas import TABLES
from store.results.table import now

EMBEDDINGS, EVALUATIONS = "embeddings", "evaluations"
CLAP = "clap"

EMBEDDING_SCHEMA = TABLES[EMBEDDINGS].schema()
EVALUATION_SCHEMA = TABLES[EVALUATIONS].schema()


def item_columns(item: Item, dataset: str | None) -> dict[str, Any]:
    """The columns that say what was scored."""
    return {
        "item_id": item.item_id,
        "item_kind": "clip" if dataset else "generation",
        "dataset": dataset,
        "sha256": item.sha256 or None,
    }


def embeddings_table(
    items: Sequence[Mapping[str, Any]], embeddings: NDArray[np.float32], *, clap: str, fingerprint: str
) -> pa.Table:
    """Rows for results/embeddings: `items` as `item_columns` gives them, `embeddings` (B, E)."""
    common = {"clap": clap, "clap_fingerprint": fingerprint, "created_at": now()}
    rows = [{**item, **common, "embedding": vector} for item, vector in zip(items, embeddings, strict=True)]
    return TABLES[EMBEDDINGS].of(rows)


def scores(
    items: Sequence[Mapping[str, Any]],
    values: NDArray[np.float64],
    classes: Mapping[str, str | None],
    **common: Any,
) -> Iterator[dict[str, Any]]:
    """Rows of results/evaluations, one per item and class.

    Args:
        items: as `item_columns` gives them.
        values: (B, C).
        classes: class → the text that stands for it.
        common: the other columns.
    """
    for item, row in zip(items, values, strict=True):
        for (name, text), value in zip(classes.items(), row, strict=True):
            yield {**item, **common, "class": name, "text": text, "value": float(value)}


def evaluations_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows for results/evaluations."""
    return TABLES[EVALUATIONS].of(rows)


def scored_items(store: Store, scorer: str, version: str) -> set[tuple[str, str]]:
    """(item_id, checksum) of every item that a scorer has stored rows of."""
    if scorer.partition(":")[0] == CLAP:
        condition = "clap_fingerprint = $version"
        found = _ask(store, EMBEDDINGS, "item_id, sha256", condition, version=version)
    else:
        condition = "scorer = $scorer AND scorer_version = $version"
        found = _ask(store, EVALUATIONS, "item_id, sha256", condition, scorer=scorer, version=version)
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
