"""All tables of results that commands write, by kind, and the catalog's empty tables of the same columns."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from store.results.fits import (
    ASSIGNMENTS,
    CLUSTERINGS,
    CONFUSIONS,
    LABELS,
    LAYER_SIMILARITIES,
    NEIGHBOUR_CELLS,
    PROBE_TRANSFERS,
    PROBES,
    VECTORS,
)
from store.results.maps import CLIP_MAPS, SELECTIONS
from store.results.recordings import RECORDINGS
from store.results.sounds import EMBEDDINGS, EVALUATIONS, GENERATIONS, LISTENING_SOUNDS, RATINGS, SIMILARITIES
from store.results.sweeps import CROSS_EFFECTS, EFFECTS, SCORER_ACCURACY, STRENGTHS, SWEEP_GENERATIONS
from store.results.table import Table

TABLES: Mapping[str, Table[Any]] = {
    table.kind: table
    for table in (
        LABELS,
        PROBES,
        CONFUSIONS,
        CLUSTERINGS,
        ASSIGNMENTS,
        VECTORS,
        NEIGHBOUR_CELLS,
        LAYER_SIMILARITIES,
        PROBE_TRANSFERS,
        CLIP_MAPS,
        SELECTIONS,
        GENERATIONS,
        EMBEDDINGS,
        EVALUATIONS,
        SIMILARITIES,
        SWEEP_GENERATIONS,
        STRENGTHS,
        EFFECTS,
        CROSS_EFFECTS,
        SCORER_ACCURACY,
        RATINGS,
        LISTENING_SOUNDS,
        RECORDINGS,
    )
}


def declarations(part_column: str) -> str:
    """SQL that makes an empty table `declared.<kind>` for every kind that documented views read.

    Views see each kind through these columns and types, so that they are there before the first result, and
    whatever else a result may hold.

    Args:
        part_column: first column of each, in which the catalog keeps where a row came from.
    """
    tables = [
        f'CREATE TABLE IF NOT EXISTS declared."{table.kind}" ({_sql_columns(table, part_column)});'
        for table in TABLES.values()
        if table.read_by_views
    ]
    return "\n".join(["CREATE SCHEMA IF NOT EXISTS declared;", *tables])


def stands_for_tables() -> bytes:
    """Changes with any column, type or sentence, or with the name of one in older parts."""
    return repr([table.columns for table in TABLES.values()]).encode()


def _sql_columns(table: Table[Any], part_column: str) -> str:
    columns = {part_column: "VARCHAR"} | table.sql_columns()
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


def with_present_names(kind: str, part: pa.Table) -> pa.Table:
    """A stored part with the names that the columns of its kind have now."""
    return TABLES[kind].with_present_names(part) if kind in TABLES else part
