"""Names and types of every column that stores hold: what was written before must still be read.

`UNDERTONE_RENEW_VALUES=1 pytest tests/versions` writes down tables and columns that are new, and nothing
else: a type that changes or a column that goes needs an `undertone upgrade` for the stores there are (or, for
a name, `former=`), and is then written into the listing by hand.
"""

import json
import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from store import dataset_changes, dataset_columns
from store.arrays import commits, plan
from store.results.schemas import TABLES

LISTING = Path(__file__).parent / "schemas.json"
LABELS: dict[str, str | None] = {
    f"a label: {kind}": kind for kind in ("bool", "int", "long", "float", "str", None)
}
Types = dict[str, dict[str, str]]


def present() -> Types:
    """By table, the Arrow type of each column."""
    others = {
        "clips of a dataset": dataset_columns.clip_schema(dataset_columns.LabelTypes(LABELS)),
        "failures of a dataset": dataset_columns.failure_schema(),
        "changes of a dataset": dataset_changes.SCHEMA,
        "plan of a run": plan.SCHEMA,
        "commits of a run": commits.SCHEMA,
    }
    schemas: dict[str, pa.Schema] = others | {kind: table.schema() for kind, table in TABLES.items()}
    return {kind: {field.name: str(field.type) for field in schema} for kind, schema in schemas.items()}


def test_every_column_has_the_type_that_stores_hold() -> None:
    found = present()
    known: Types = json.loads(LISTING.read_text()) if LISTING.exists() else {}
    if os.environ.get("UNDERTONE_RENEW_VALUES"):
        known = {kind: found.get(kind, {}) | known.get(kind, {}) for kind in [*found, *known]}
        LISTING.write_text(json.dumps(known, indent=1) + "\n")
    changed = [
        f"{kind}.{name} is {found.get(kind, {}).get(name)}, was {known.get(kind, {}).get(name)}"
        for kind in found | known
        for name in found.get(kind, {}) | known.get(kind, {})
        if found.get(kind, {}).get(name) != known.get(kind, {}).get(name)
    ]
    assert not changed, "; ".join(changed)


@pytest.mark.parametrize("kind", TABLES)
def test_sql_types_are_those_that_duckdb_gives_a_stored_part(kind: str) -> None:
    part = TABLES[kind].schema().empty_table()
    with duckdb.connect() as connection:
        described = connection.execute("DESCRIBE FROM part").fetchall()
    assert part.num_rows == 0
    assert {name: type_ for name, type_, *_ in described} == dict(TABLES[kind].sql_columns())
