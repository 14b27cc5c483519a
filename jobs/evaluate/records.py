"""Rows of results/embeddings and results/evaluations."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.evaluate.items import Items
from store.catalog.asking import Catalog
from store.errors import MissingRows
from store.opening import Store
from store.results.sounds import EMBEDDINGS, EVALUATIONS, EmbeddingRow, EvaluationRow

CLAP = "clap"


def embedding_rows(items: Items, embeddings: NDArray[np.float32], common: EmbeddingRow) -> list[EmbeddingRow]:
    """Rows of results/embeddings, one per item.

    Args:
        items: B of them.
        embeddings: (B, E).
        common: the columns that all have in common.
    """
    return [
        replace(
            common,
            item_id=item.item_id,
            item_kind=item.kind,
            dataset=items.dataset,
            sha256=item.sha256 or None,
            embedding=vector,
        )
        for item, vector in zip(items.members, embeddings, strict=True)
    ]


def score_rows(
    items: Items,
    values: NDArray[np.float64],
    classes: Mapping[str, str | None] | Mapping[None, None],
    common: EvaluationRow,
) -> list[EvaluationRow]:
    """Rows of results/evaluations, one per item and class.

    Args:
        items: B of them.
        values: (B, C).
        classes: class → the text that stands for it; of numbers without classes {None: None}.
        common: the columns that all have in common.
    """
    return [
        replace(
            common,
            item_id=item.item_id,
            item_kind=item.kind,
            dataset=items.dataset,
            sha256=item.sha256 or None,
            class_=name,
            text=text,
            value=float(value),
        )
        for item, row in zip(items.members, values, strict=True)
        for (name, text), value in zip(classes.items(), row, strict=True)
    ]


def scored_items(store: Store, scorer: str, version: str) -> set[tuple[str, str]]:
    """(item_id, checksum) of every item that a scorer has stored rows of."""
    if scorer.partition(":")[0] == CLAP:
        condition = "clap_fingerprint = $version"
        found = _ask(store, EMBEDDINGS.kind, "item_id, sha256", condition, version=version)
    else:
        condition = "scorer = $scorer AND scorer_version = $version"
        found = _ask(store, EVALUATIONS.kind, "item_id, sha256", condition, scorer=scorer, version=version)
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
    found = _ask(store, EMBEDDINGS.kind, columns, condition, version=fingerprint)
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
