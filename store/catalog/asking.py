"""Ask the catalog of a store what the code itself needs: values go in as parameters, never as text."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from store.catalog.catalog import refresh_catalog
from store.catalog.query import DEFAULT_TIMEOUT_SECONDS, run_query
from store.opening import Store


@dataclass(frozen=True, slots=True)
class Catalog:
    """A catalog file, as new as the store was when it was opened."""

    path: Path

    @classmethod
    def of(cls, store: Store) -> "Catalog":
        """The catalog of a store, brought up to date."""
        return cls(refresh_catalog(store))

    def has(self, view: str) -> bool:
        """Whether there is a view of that name: of a kind of results, whether anybody has written one."""
        query = "SELECT 1 FROM duckdb_views() WHERE view_name = $view AND schema_name = 'main'"
        return bool(self.ask(query, view=view).num_rows)

    def ask(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        **parameters: Any,
    ) -> pa.Table:
        """The result of one SELECT, where $name stands for the parameter of that name; see `run_query`."""
        return run_query(
            self.path, sql, tables=tables, timeout_seconds=timeout_seconds, parameters=parameters
        )

    def rows(self, sql: str, **options: Any) -> list[dict[str, Any]]:
        """The same, as one dictionary a row."""
        found: list[dict[str, Any]] = self.ask(sql, **options).to_pylist()
        return found
