"""What the last command found is what a sweep shows: it is written again where other rows came since."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from jobs.evaluation.records import now
from jobs.results import digest_of, write_results
from jobs.sweeping.stored import has_view
from store.catalog import refresh_catalog
from store.opening import Store
from store.query import run_query

Row = Mapping[str, Any]


def write_newest(store: Store, kind: str, sweep_id: str, rows: Sequence[Row], schema: pa.Schema) -> None:
    """Write the rows of a sweep, unless its view shows just these.

    Views show the rows of a sweep that were written last. So the name of a part stands for the time too:
    what was found, replaced (by another type of numbers, another CLAP …) and found again is written again.

    Args:
        store: where to write.
        kind: "effects" or "cross_effects"; the view has the same name.
        sweep_id: of the sweep.
        rows: all that was found, without created_at.
        schema: of the rows.
    """
    found = pa.Table.from_pylist(list(rows), schema=schema).to_pylist()
    content = _content(found, schema)
    if content == _content(_shown(store, kind, sweep_id), schema):
        return
    written = now()
    table = pa.Table.from_pylist([row | {"created_at": written} for row in found], schema=schema)
    specification = {"sweep": sweep_id, "rows": content, "created_at": written.isoformat()}
    write_results(store, kind, specification, table)


def _shown(store: Store, kind: str, sweep_id: str) -> list[dict[str, Any]]:
    if not has_view(store, kind):
        return []
    query = f"FROM {kind} WHERE sweep_id = '{sweep_id}'"
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), query).to_pylist()
    return rows


def _content(rows: Iterable[Row], schema: pa.Schema) -> str:
    """Stands for rows in any order, whenever they were written."""
    names = sorted(set(schema.names) - {"created_at"})
    return digest_of(sorted(digest_of([row.get(name) for name in names]) for row in rows))
