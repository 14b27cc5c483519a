"""Ask the catalog for a report, and keep each statement to show it under its figure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from store.catalog.catalog import refresh_catalog
from store.catalog.query import describe_views, run_query
from store.catalog.quoting import sql_value
from store.opening import Store
from store.records import SITES

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """A store, its catalog, the names of its views, and what was already asked about whole runs."""

    store: Store
    catalog: Path
    views: frozenset[str]
    _known: dict[str, pa.Table] = field(default_factory=dict, compare=False)

    def ask(self, sql: str) -> pa.Table:
        """The answer to one SELECT."""
        return run_query(self.catalog, sql)

    def rows(self, sql: str) -> list[Row]:
        """The same as dictionaries."""
        rows: list[Row] = self.ask(sql).to_pylist()
        return rows

    def about(self, template: str, run_id: str, **chosen: str) -> tuple[pa.Table, str]:
        """The answer to `template` about the chosen rows, and the statement that gives it.

        A connection costs more than such a query, so the whole run is asked about once and the rows are
        chosen from what came.

        Args:
            template: SQL that selects `{also}` before its columns, has `{where}` and orders by all.
            run_id: the run.
            chosen: columns and the values they must have.
        """
        whole_sql = template.format(also="".join(f"{name}, " for name in chosen), where=where(run_id=run_id))
        if whole_sql not in self._known:
            self._known[whole_sql] = self.ask(whole_sql)
        table = self._known[whole_sql]
        for name, value in chosen.items():
            table = table.filter(pc.equal(table.column(name), value))
        sql = template.format(also="", where=where(run_id=run_id, **chosen))
        return table.drop_columns(list(chosen)), sql


def open_answers(store: Store) -> Answers:
    """The up-to-date catalog of a store."""
    catalog = refresh_catalog(store)
    return Answers(store, catalog, frozenset(view.name for view in describe_views(catalog)))


def where(**columns: str | int) -> str:
    """Conditions that all hold."""
    return "WHERE " + " AND ".join(f"{name} = {sql_value(value)}" for name, value in columns.items())


def by_array(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """Rows by site and reduction, sites in the order in which a block computes them."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["site"], row["reduction"]), []).append(row)
    return dict(sorted(found.items(), key=lambda item: (_place(item[0][0]), item[0][1])))


def _place(site: str) -> int:
    return SITES.index(site) if site in SITES else len(SITES)
