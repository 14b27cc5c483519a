"""Write directions to the table `vectors`, and read them back as NumPy arrays."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
import pyarrow as pa

from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound
from store.opening import Store
from store.results.fits import VECTORS, VectorRow
from store.results.parts import write_results

SAME = "run_id, site, reduction, layer, head, method, concept, positive, negative"
"""Directions that agree in these are fits of one direction, on other labels, folds or code.

The newest counts, as in `store/catalog/superposition.sql`."""


SCHEMA = VECTORS.schema()


def read_vectors(
    store: Store,
    where: str = "true",
    *,
    tables: Mapping[str, pa.Table] | None = None,
    parameters: Mapping[str, Any] | None = None,
    newest: bool = False,
) -> list[VectorRow]:
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
    order = "run_id, site, reduction, concept, positive, negative, method, layer, head, created_at, vector_id"
    query = f"SELECT {', '.join(SCHEMA.names)} FROM typed.vectors WHERE ({where})"  # noqa: S608
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


def add_vectors(store: Store, rows: Sequence[VectorRow], known: AbstractSet[str]) -> int:
    """Store the directions whose ids are not known, as one part; returns how many that are."""
    new = [row for row in rows if row.vector_id not in known]
    if new:
        write_results(store, VECTORS.kind, {"vectors": [row.vector_id for row in new]}, VECTORS.of(new))
    return len(new)


def stored_ids(store: Store) -> set[str]:
    """Ids of all directions in the store."""
    return _ids(refresh_catalog(store))


def measured(store: Store, ids: AbstractSet[str]) -> list[VectorRow]:
    """What is known of directions; their numbers are left out."""
    chosen = pa.table({"vector_id": sorted(ids)})
    query = """
        SELECT DISTINCT ON (vector_id) * EXCLUDE (vector, reader)
        FROM typed.vectors SEMI JOIN chosen USING (vector_id)
    """
    catalog = refresh_catalog(store)
    return VECTORS.rows(run_query(catalog, query, tables={"chosen": chosen}))


def vectors_of(store: Store, ids: AbstractSet[str]) -> list[VectorRow]:
    """Directions by their ids; those that do not exist are left out."""
    chosen = pa.table({"vector_id": pa.array(sorted(ids), pa.string())})
    return read_vectors(store, "vector_id IN (SELECT vector_id FROM chosen)", tables={"chosen": chosen})


def _ids(catalog: Path) -> set[str]:
    return set(run_query(catalog, "SELECT vector_id FROM typed.vectors")["vector_id"].to_pylist())


def find_vector(store: Store, vector_id: str) -> VectorRow:
    """One direction by its id or the beginning of it.

    Raises:
        NotFound: there is none.
        InvalidInput: several begin so.
    """
    found = read_vectors(store, "starts_with(vector_id, $beginning)", parameters={"beginning": vector_id})
    if not found or not vector_id:
        raise NotFound(
            f"There is no direction {vector_id!r}; `undertone vectors list {quote(store.url)}` shows all."
        )
    if len(found) > 1:
        ids = ", ".join(vector.vector_id for vector in found[:5])
        raise InvalidInput(f"{vector_id!r} may mean {len(found)} directions ({ids} …): give more of it.")
    return found[0]


def _stored(row: Mapping[str, Any]) -> VectorRow:
    values = {name: row[name] for name in SCHEMA.names} | {"vector": np.asarray(row["vector"], np.float32)}
    if values["reader"] is not None:
        values["reader"] = np.asarray(values["reader"], np.float32)
    return VectorRow(**values)
