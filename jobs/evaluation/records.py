"""Rows of results/embeddings and results/evaluations."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.descriptors import DESCRIPTORS
from store.records import PlannedClip

EMBEDDINGS, EVALUATIONS = "embeddings", "evaluations"

_TEXT, _NUMBER, _TIME = pa.string(), pa.float64(), pa.timestamp("us")
_ITEM: Mapping[str, tuple[pa.DataType, str]] = {
    "item_id": (_TEXT, "clip_id or generation_id"),
    "item_kind": (_TEXT, "clip or generation"),
    "dataset": (_TEXT, "dataset of a clip; NULL for generations"),
    "sha256": (_TEXT, "checksum of the recording's file; NULL for generations, whose id says as much"),
}
_EMBEDDING: Mapping[str, tuple[pa.DataType, str]] = {
    **_ITEM,
    "clap": (_TEXT, "name of the CLAP"),
    "clap_fingerprint": (_TEXT, "hash of its weights, vocabulary, spectrogram settings and resampler"),
    "embedding": (pa.list_(pa.float32()), "what it hears: a vector of length one"),
    "created_at": (_TIME, "when it was computed (UTC)"),
}
_EVALUATION: Mapping[str, tuple[pa.DataType, str]] = {
    **_ITEM,
    "scorer": (
        _TEXT,
        "clap, judge, features (handcrafted), probe (of clips that no direction saw) or descriptors",
    ),
    "scorer_name": (_TEXT, "name of the model that scored"),
    "scorer_version": (_TEXT, "hash of its weights and settings"),
    "concept": (_TEXT, "what was asked: the name of a set of prompts, or of what the judge hears"),
    "class": (_TEXT, "the class that the value is for; NULL for numbers such as a tempo"),
    "text": (_TEXT, "the very text that was compared with the audio; NULL for the judge"),
    "prompt_set": (
        _TEXT,
        "hash of all classes and texts among which probability was divided; NULL where no texts were asked",
    ),
    "measure": (
        _TEXT,
        "probability: over the classes of the concept; cosine: of text and audio; "
        + "; ".join(f"{name}: {said}" for name, said in DESCRIPTORS.items()),
    ),
    "value": (_NUMBER, "the score"),
    "created_at": (_TIME, "when it was computed (UTC)"),
}


def _schema(columns: Mapping[str, tuple[pa.DataType, str]]) -> pa.Schema:
    fields = [
        pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in columns.items()
    ]
    return pa.schema(fields)


EMBEDDING_SCHEMA = _schema(_EMBEDDING)
EVALUATION_SCHEMA = _schema(_EVALUATION)


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
    return pa.Table.from_pylist(rows, schema=EMBEDDING_SCHEMA)


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
    return pa.Table.from_pylist(list(rows), schema=EVALUATION_SCHEMA)


def now() -> datetime:
    """UTC without a zone, as tables hold it."""
    return datetime.now(UTC).replace(tzinfo=None)
