"""The columns of `clusterings` and `assignments`: what k-means found, and where each clip fell.

Which start is best and which k is chosen is no column: both follow from all that is stored, in the view
`clusterings` (`store/clusterings.sql`).
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from store.catalog import refresh_catalog
from store.opening import Store
from store.query import run_query

CLUSTERINGS, ASSIGNMENTS = "clusterings", "assignments"

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_CLUSTERING_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "clustering_id": (_TEXT, "id of one start; the rows of several concepts share it"),
    "run_id": (_TEXT, "run whose activations were clustered"),
    "site": (_TEXT, "where in a block: embed, resid, attn, xattn or mlp"),
    "reduction": (_TEXT, "what was kept over time; of frames and segments each one is a point"),
    "layer": (_COUNT, "number of the layer"),
    "concept": (_TEXT, "label column that the clusters are compared with"),
    "classes": (_COUNT, "number of its classes"),
    "k": (_COUNT, "number of clusters"),
    "scaling": (_TEXT, "none, zscore, l2 or pca (whitened)"),
    "dimensions": (_COUNT, "features of a point after scaling"),
    "start_seed": (_COUNT, "seed of the k-means++ start, as random_state in scikit-learn"),
    "inertia": (_NUMBER, "sum of squared distances to the nearest centre, after scaling"),
    "iterations": (_COUNT, "steps until the centres were at rest"),
    "ari": (_NUMBER, "adjusted Rand index of clusters and classes; chance is 0"),
    "nmi": (_NUMBER, "normalised mutual information (arithmetic mean)"),
    "ami": (_NUMBER, "adjusted mutual information; chance is 0"),
    "homogeneity": (_NUMBER, "1 where every cluster holds one class only"),
    "completeness": (_NUMBER, "1 where every class lies in one cluster"),
    "silhouette": (
        _NUMBER,
        "mean silhouette of the clusters, on at most 2,000 points; for the best start of a command",
    ),
    "label_silhouette": (_NUMBER, "mean silhouette of the classes themselves, on the same points"),
    "points": (_COUNT, "points that were clustered: clips, or their frames or segments"),
    "clips": (_COUNT, "labelled clips; with several points a clip counts as its most frequent cluster"),
    "labels_query": (_TEXT, "query that gave the labels"),
    "labels_hash": (_TEXT, "hash of the concept's labels as they were resolved"),
    "created_at": (pa.timestamp("us"), "when it was computed (UTC)"),
}
_ASSIGNMENT_COLUMNS: Mapping[str, tuple[pa.DataType, str]] = {
    "clustering_id": (_TEXT, "the best start of a command at its k, see clusterings"),
    "clip_id": (_TEXT, "the clip"),
    "cluster": (_COUNT, "its cluster, from 0; with several points per clip the most frequent one"),
    "share": (_NUMBER, "share of its points in that cluster"),
    "histogram": (pa.list_(pa.int64()), "its points in each cluster"),
}


def clusterings_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows for results/clusterings."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=_schema(_CLUSTERING_COLUMNS))


def assignments_table(columns: Mapping[str, Any]) -> pa.Table:
    """Columns for results/assignments."""
    schema = _schema(_ASSIGNMENT_COLUMNS)
    return pa.table(
        {field.name: pa.array(columns[field.name], field.type) for field in schema}, schema=schema
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store holds of k-means."""

    inertias: Mapping[tuple[str, str], float]
    """Of each start, by (clustering_id, labels_hash)."""
    assigned: frozenset[str]
    """Ids of the starts whose assignments are there."""


def read_stored(store: Store) -> Stored:
    """What is stored before a command begins."""
    catalog = refresh_catalog(store)
    rows = run_query(catalog, "SELECT clustering_id, labels_hash, inertia FROM typed.clusterings").to_pylist()
    assigned = run_query(catalog, "SELECT DISTINCT clustering_id FROM typed.assignments")
    return Stored(
        {(row["clustering_id"], row["labels_hash"]): row["inertia"] for row in rows},
        frozenset(assigned["clustering_id"].to_pylist()),
    )


def read_clusterings(store: Store, identities: AbstractSet[tuple[str, str]]) -> list[dict[str, Any]]:
    """Rows of `clusterings` by (clustering_id, labels_hash)."""
    wanted = pa.table(
        {"clustering_id": [one for one, _ in identities], "labels_hash": [one for _, one in identities]}
    )
    query = "FROM clusterings SEMI JOIN wanted USING (clustering_id, labels_hash)"
    rows: list[dict[str, Any]] = run_query(
        refresh_catalog(store), query, tables={"wanted": wanted}
    ).to_pylist()
    return rows


def _schema(columns: Mapping[str, tuple[pa.DataType, str]]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, kind, metadata={"comment": comment}) for name, (kind, comment) in columns.items()]
    )
