"""What a store holds already, also when it holds nothing of a kind yet."""

from store.catalog import refresh_catalog
from store.opening import Store
from store.query import run_query


def has_view(store: Store, name: str) -> bool:
    """Whether the catalog has a view of that name: a kind of result that somebody has written."""
    query = (
        f"SELECT count(*) AS found FROM duckdb_views() WHERE view_name = '{name}' AND schema_name = 'main'"  # noqa: S608 (our own words)
    )
    return bool(run_query(refresh_catalog(store), query)["found"][0].as_py())
