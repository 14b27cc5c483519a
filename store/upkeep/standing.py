"""List what depends on a run or a dataset: results about it, collections made from it."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store.errors import CatalogWarning, UndertoneError
from store.objects.ledger import RECORDS, recorded_names
from store.objects.protocol import ObjectStore

if TYPE_CHECKING:
    from store.opening import Store

RUN_COLUMN = "run_id"


def runs_in(data: bytes) -> set[str]:
    """Ids of the runs that the rows of a result are about; empty where they are about none."""
    file = pq.ParquetFile(io.BytesIO(data))
    if RUN_COLUMN not in file.schema_arrow.names:
        return set()
    column = file.read(columns=[RUN_COLUMN]).column(RUN_COLUMN).cast(pa.string())
    return {str(run_id) for run_id in pc.unique(column).to_pylist() if run_id is not None}


def gone_runs(data: bytes, known: Sequence[str]) -> list[str]:
    """Runs that the rows of a result are about and that are not among those there are."""
    try:
        return sorted(runs_in(data) - set(known))
    except (pa.ArrowException, OSError):  # a stranger's file; whoever reads it says what is wrong
        return []


def results_about(objects: ObjectStore, run_id: str) -> dict[str, int]:
    """Kind of results → how many files hold rows about a run."""
    counts: dict[str, int] = {}
    for key in recorded_names(objects, "results"):
        if run_id in _runs_of(objects, key):
            kind = key.split("/")[1]
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def kinds_about_gone_runs(store: "Store") -> dict[str, list[str]]:
    """Run that is not in the store → the kinds of results that have rows about it, by the catalog."""
    if not store.objects.folders(f"{RECORDS}/results"):
        return {}
    from store.catalog.catalog import refresh_catalog

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CatalogWarning)  # what the store lacks is said by who asks this
        return _kinds_by_gone_run(refresh_catalog(store))


def _kinds_by_gone_run(catalog: Path) -> dict[str, list[str]]:
    from store.catalog.query import run_query

    kinds = run_query(catalog, _KINDS_ABOUT_RUNS, timeout_seconds=None).column("kind").to_pylist()
    found: dict[str, list[str]] = {}
    if kinds:
        query = " UNION ALL ".join(_ABOUT_GONE_RUNS.format(kind=kind) for kind in kinds)
        for row in run_query(catalog, f"{query} ORDER BY ALL", timeout_seconds=None).to_pylist():
            found.setdefault(row["run_id"], []).append(row["kind"])
    return found


_KINDS_ABOUT_RUNS = """
    SELECT table_name AS kind FROM duckdb_columns()
    WHERE schema_name = 'results' AND column_name = 'run_id' AND regexp_full_match(table_name, '[a-z_]+')
    ORDER BY 1
"""
_ABOUT_GONE_RUNS = """
    SELECT DISTINCT CAST(run_id AS VARCHAR) AS run_id, '{kind}' AS kind FROM results.{kind}
    WHERE run_id IS NOT NULL AND CAST(run_id AS VARCHAR) NOT IN (SELECT run_id FROM parts.runs)
"""


def _runs_of(objects: ObjectStore, key: str) -> set[str]:
    try:
        return runs_in(objects.get(key))
    except (pa.ArrowException, UndertoneError, OSError):  # `undertone verify` names it
        return set()
