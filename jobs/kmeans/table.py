"""The tables `clusterings` and `assignments`.

Which start is best and which k is chosen is no column: both follow from all that is stored, in the view
`clusterings` (`store/catalog/clusterings.sql`).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa

from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.opening import Store


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


def read_clusterings(store: Store, identities: AbstractSet[tuple[str, str]]) -> pa.Table:
    """Rows of the view `clusterings` by (clustering_id, labels_hash)."""
    wanted = pa.table(
        {"clustering_id": [one for one, _ in identities], "labels_hash": [one for _, one in identities]}
    )
    query = "FROM clusterings SEMI JOIN wanted USING (clustering_id, labels_hash)"
    return run_query(refresh_catalog(store), query, tables={"wanted": wanted})
