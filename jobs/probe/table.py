"""The tables `probes` and `confusions`."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from store.results.schemas import TABLES

KIND = "probes"
CONFUSIONS = "confusions"


def probes_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `probes`; columns that a row lacks are NULL, and so is NaN."""
    return TABLES[KIND].of(_known(row) for row in rows)


def confusions_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a part of `confusions`."""
    return TABLES[CONFUSIONS].of(rows)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}  # noqa: PLR0124 (NaN)
