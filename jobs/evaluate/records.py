"""Rows of results/embeddings and results/evaluations."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.records import PlannedClip
from store.results.schemas import TABLES

EMBEDDINGS, EVALUATIONS = "embeddings", "evaluations"

EMBEDDING_SCHEMA = TABLES[EMBEDDINGS].schema()
EVALUATION_SCHEMA = TABLES[EVALUATIONS].schema()


def item_columns(clip: PlannedClip, dataset: str | None) -> dict[str, Any]:
    """The columns that say what was heard."""
    return {
        "item_id": clip.clip_id,
        "item_kind": "clip" if dataset else "generation",
        "dataset": dataset,
        "sha256": clip.sha256 or None,
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


def now() -> datetime:
    """UTC without a zone, as tables hold it."""
    return datetime.now(UTC).replace(tzinfo=None)
