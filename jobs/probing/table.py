"""The tables that probes are kept in: `probes` and `confusions`."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from store.results.schemas import TABLES

KIND = "probes"
CONFUSIONS = "confusions"

PROBES = TABLES[KIND].schema()
CONFUSION_SCHEMA = TABLES[CONFUSIONS].schema()


def probes_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `probes`; columns that a row lacks are NULL, and so is NaN."""
    return pa.Table.from_pylist([_known(row) for row in rows], PROBES)


def confusions_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `confusions`."""
    return pa.Table.from_pylist(list(rows), CONFUSION_SCHEMA)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 (NaN)
