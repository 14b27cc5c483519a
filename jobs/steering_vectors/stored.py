"""Stored directions: the columns of `vectors`, and reading them back as numpy."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.results import write_results
from store.catalog import refresh_catalog
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.query import run_query

KIND = "vectors"
SAME = "run_id, site, reduction, layer, method, concept, positive, negative"
"""Directions that agree in these are fits of one direction, on other labels, folds or code.

The newest counts, as in `store/superposition.sql`."""


@dataclass(frozen=True, slots=True)
class StoredVector:
    """One row of `vectors`: a direction that knows where it belongs and what is known of it."""

    vector_id: str
    run_id: str
    """Run it was fitted on; "" for one that was imported without."""
    model: str
    model_fingerprint: str
    site: str
    reduction: str
    layer: int
    concept: str
    positive: str
    """Class that projects higher."""
    negative: str | None
    """Class it is told from; None for all others."""
    method: str
    vector: np.ndarray
    """(D,) float32, length 1."""
    reader: np.ndarray | None
    """Of leace, (D,) float32: what `--kind ablate` reads; None for all others."""
    reader_offset: float | None
    width: int
    norm: float
    strength: float | None
    mean_positive: float | None
    mean_negative: float | None
    deviation: float | None
    separability: float | None
    cosine_to_mean_difference: float | None
    score: float | None
    score_low: float | None
    score_high: float | None
    within_chance: bool | None
    random_score: float | None
    within_random: bool | None
    activation_norm: float | None
    scaling: str
    clips: int
    positives: int
    negatives: int
    groups: int
    folds: int
    labels_query: str
    labels_hash: str
    random_seed: int | None
    created_at: datetime


_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "vector_id": (_TEXT, "id of the direction; its beginning is enough where a command asks for one"),
    "run_id": (_TEXT, "run whose activations it was fitted on"),
    "model": (_TEXT, "name of the model"),
    "model_fingerprint": (_TEXT, "hash of the model's weights: a direction means nothing in another model"),
    "site": (_TEXT, "where in a block it belongs: embed, resid, attn, xattn or mlp"),
    "reduction": (_TEXT, "what was kept over time of the rows it was fitted on"),
    "layer": (_COUNT, "number of the layer it belongs to"),
    "concept": (_TEXT, "label column; text of it: between two texts on the same clips"),
    "positive": (_TEXT, "class towards which it points"),
    "negative": (_TEXT, "class from which it points; NULL: all other classes"),
    "method": (_TEXT, "mse, logistic, diffmean, mass_mean, pca, leace (is diffmean), random or imported"),
    "vector": (pa.list_(pa.float32()), "the direction, of length 1; list_cosine_similarity compares two"),
    "reader": (pa.list_(pa.float32()), "of leace: ablation is x - vector * (reader · x - reader_offset)"),
    "reader_offset": (_NUMBER, "of leace: what the reader reads of the mean of the rows"),
    "width": (_COUNT, "its number of entries, the width of the model"),
    "norm": (_NUMBER, "length before it was normalised; of diffmean: distance between the class means"),
    "strength": (_NUMBER, "penalty over the mean variance per axis: the strongest that does as well as any"),
    "mean_positive": (_NUMBER, "mean projection of positives that were held out of the fit"),
    "mean_negative": (_NUMBER, "mean projection of negatives that were held out of the fit"),
    "deviation": (_NUMBER, "σ of held-out projections about the mean of their class"),
    "separability": (_NUMBER, "held-out d′ = (mean_positive − mean_negative) / deviation"),
    "cosine_to_mean_difference": (_NUMBER, "cosine with the difference of the class means"),
    "score": (_NUMBER, "held-out ROC-AUC: how often a positive projects higher than a negative"),
    "score_low": (_NUMBER, "lower end of its 95 % interval (Newcombe 2006) over groups, for fits to as many"),
    "score_high": (_NUMBER, "upper end of that interval"),
    "within_chance": (pa.bool_(), "true when the interval reaches down to 0.5: nothing has been found"),
    "random_score": (_NUMBER, "ROC-AUC that 95 % of random directions of its place stay within, either way"),
    "within_random": (pa.bool_(), "true when score does not exceed random_score: any direction does as well"),
    "activation_norm": (_NUMBER, "mean length of the rows it was fitted on"),
    "scaling": (_TEXT, "how α should scale it: norm = by the length of the activation it is added to"),
    "clips": (_COUNT, "rows it was fitted on"),
    "positives": (_COUNT, "how many of them are positive"),
    "negatives": (_COUNT, "how many of them are negative"),
    "groups": (_COUNT, "groups they belong to"),
    "folds": (_COUNT, "folds of the held-out measurements"),
    "labels_query": (_TEXT, "query that gave the labels"),
    "labels_hash": (_TEXT, "hash of the concept's labels as they were resolved"),
    "random_seed": (_COUNT, "of a random direction, else NULL"),
    "created_at": (pa.timestamp("us"), "when it was fitted (UTC)"),
}  # fmt: skip

SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in _COLUMNS.items()]
)


def vectors_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows for results/vectors."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA)


def row_of(vector: StoredVector) -> dict[str, Any]:
    """A vector as a row."""
    return {field.name: getattr(vector, field.name) for field in fields(vector)}


def read_vectors(
    store: Store,
    where: str = "true",
    *,
    tables: Mapping[str, pa.Table] | None = None,
    parameters: Mapping[str, Any] | None = None,
    newest: bool = False,
) -> list[StoredVector]:
    """The directions that a condition in SQL picks, in order of place, concept and method.

    Args:
        store: where they are.
        where: over the columns of `vectors`, for example "method = 'mse' AND layer BETWEEN 2 AND 4".
        tables: tables of the user that the condition may read.
        parameters: values of $name in the condition.
        newest: of several fits of one direction only the newest that meets the condition.

    Raises:
        QueryRefused: the condition is wrong.
        InvalidInput: the store has no directions at all.
    """
    order = "run_id, site, reduction, concept, positive, negative, method, layer, created_at, vector_id"
    query = f"SELECT {', '.join(_COLUMNS)} FROM typed.vectors WHERE ({where})"  # noqa: S608
    if newest:
        query += f" QUALIFY 1 = row_number() OVER (PARTITION BY {SAME} ORDER BY created_at DESC, vector_id)"
    catalog = catalog_with_vectors(store)
    answer = run_query(catalog, f"{query} ORDER BY {order}", tables=tables, parameters=parameters)
    found = [_stored(row) for row in answer.to_pylist()]
    return list(
        {vector.vector_id: vector for vector in found}.values()
    )  # two jobs at once may write one twice


def catalog_with_vectors(store: Store) -> Path:
    """The catalog of a store; raises `InvalidInput` where the store has no directions at all."""
    catalog = refresh_catalog(store)
    if not _ids(catalog):
        raise InvalidInput(
            f"{store.url} has no directions yet: fit some with "
            f"`undertone directions {quote(store.url)} RUN --labels …`."
        )
    return catalog


def add_vectors(store: Store, rows: Sequence[Mapping[str, Any]], known: AbstractSet[str]) -> int:
    """Store the directions whose ids are not known, as one part; returns how many that are."""
    new = [row for row in rows if row["vector_id"] not in known]
    if new:
        write_results(store, KIND, {"vectors": [row["vector_id"] for row in new]}, vectors_table(new))
    return len(new)


def stored_ids(store: Store) -> set[str]:
    """Ids of all directions in the store."""
    return _ids(refresh_catalog(store))


def measured(store: Store, ids: AbstractSet[str]) -> list[dict[str, Any]]:
    """What is known of directions, without their numbers."""
    chosen = pa.table({"vector_id": sorted(ids)})
    query = """
        SELECT DISTINCT ON (vector_id) * EXCLUDE (vector, reader)
        FROM typed.vectors SEMI JOIN chosen USING (vector_id)
    """
    catalog = refresh_catalog(store)
    rows: list[dict[str, Any]] = run_query(catalog, query, tables={"chosen": chosen}).to_pylist()
    return rows


def vectors_of(store: Store, ids: AbstractSet[str]) -> list[StoredVector]:
    """Directions by their ids; those that do not exist are left out."""
    chosen = pa.table({"vector_id": pa.array(sorted(ids), pa.string())})
    return read_vectors(store, "vector_id IN (SELECT vector_id FROM chosen)", tables={"chosen": chosen})


def _ids(catalog: Path) -> set[str]:
    return set(run_query(catalog, "SELECT vector_id FROM typed.vectors")["vector_id"].to_pylist())


def find_vector(store: Store, vector_id: str) -> StoredVector:
    """One direction by its id or the beginning of it.

    Raises:
        NotFound: there is none.
        InvalidInput: several begin so.
    """
    escaped = vector_id.replace("'", "''")
    found = read_vectors(store, f"starts_with(vector_id, '{escaped}')")
    if not found or not vector_id:
        raise NotFound(
            f"There is no direction {vector_id!r}; `undertone vectors list {quote(store.url)}` shows all."
        )
    if len(found) > 1:
        ids = ", ".join(vector.vector_id for vector in found[:5])
        raise InvalidInput(f"{vector_id!r} may mean {len(found)} directions ({ids} …): give more of it.")
    return found[0]


def _stored(row: Mapping[str, Any]) -> StoredVector:
    values = {name: row[name] for name in _COLUMNS} | {"vector": np.asarray(row["vector"], np.float32)}
    if values["reader"] is not None:
        values["reader"] = np.asarray(values["reader"], np.float32)
    return StoredVector(**values)
