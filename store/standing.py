"""What stands on a run or a dataset: results about it, collections made from it."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from store.ledger import recorded_names
from store.objects import ObjectStore

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


def codes_of(document: Mapping[str, Any]) -> str | None:
    """Key of the codec tokens that a run was made from."""
    codes = document.get("codes")
    return codes if isinstance(codes, str) and codes else None


def _runs_of(objects: ObjectStore, key: str) -> set[str]:
    from store.errors import UndertoneError

    try:
        return runs_in(objects.get(key))
    except (pa.ArrowException, UndertoneError, OSError):  # `undertone verify` names it
        return set()
