"""Fills the tables of a catalog file from parts, and makes the views that people query."""

# ruff: noqa: S608 (names are quoted, values are parameters)

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from store.catalog_parts import PART, RESULTS, read_parts
from store.objects import ObjectStore

VIEWS = Path(__file__).with_name("views.sql")
VERSION_KEY = "version"
"""In the recorded state, beside the keys of parts: which code made the file."""
READ_AT_ONCE = 2000
_VIEW_NAMES = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"


def can_grow(known: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether a catalog that holds `known` can be changed into one of `wanted`, instead of made anew.

    Not when other code made it, and not when a part is gone that brought columns of its own.
    """
    changed = (key for key, version in known.items() if wanted.get(key) != version)
    return VERSION_KEY in known and not any(
        key == VERSION_KEY or key.endswith("/clips.parquet") or key.startswith(f"{RESULTS}/")
        for key in changed
    )


def fill_catalog(path: Path, objects: ObjectStore, wanted: Mapping[str, str]) -> None:
    """Bring the catalog at `path`, which may be new, from the parts it records to the wanted ones."""
    connection = duckdb.connect(path, config={"temp_directory": "", "python_enable_replacements": False})
    try:
        connection.execute("BEGIN")  # one write to the disk instead of one per statement
        connection.execute(VIEWS.read_text(encoding="utf-8"))
        known = dict(connection.execute("SELECT * FROM parts.state").fetchall())
        _forget(connection, [key for key, version in known.items() if wanted.get(key) != version])
        new = {key: version for key, version in wanted.items() if known.get(key) != version}
        _load(connection, objects, new)
        _drop_views(connection)  # they remember the columns their tables had
        connection.execute(VIEWS.read_text(encoding="utf-8"))
        _comment_columns(connection, _make_result_views(connection))
        connection.execute("COMMIT")
    finally:
        connection.close()


def _drop_views(connection: duckdb.DuckDBPyConnection) -> None:
    for (name,) in connection.execute(_VIEW_NAMES).fetchall():
        connection.execute(f"DROP VIEW {_quoted(name)}")


def _forget(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> None:
    """Take the rows of these parts out of every table."""
    if not keys:
        return
    connection.register("gone", pa.table({"key": keys}))
    tables = "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
    for schema, table in connection.execute(tables).fetchall():
        target = f"{_quoted(schema)}.{_quoted(table)}"
        connection.execute(f"DELETE FROM {target} WHERE {PART} IN (SELECT key FROM gone)")
    connection.unregister("gone")


def _load(connection: duckdb.DuckDBPyConnection, objects: ObjectStore, new: Mapping[str, str]) -> None:
    """Read new parts and record them; one that vanished since it was listed is not recorded."""
    keys = [key for key in new if key != VERSION_KEY]
    found = [key for key in new if key == VERSION_KEY]
    for start in range(0, len(keys), READ_AT_ONCE):
        collected: dict[str, list[pa.Table]] = {}
        for key, tables in read_parts(objects, keys[start : start + READ_AT_ONCE]):
            found.append(key)
            for name, rows in tables.items():
                collected.setdefault(name, []).append(rows)
        for name, blocks in collected.items():
            _append(connection, name, pa.concat_tables(blocks, promote_options="permissive"))
    state = pa.table({PART: found, "version": [new[key] for key in found]})
    _append(connection, "state", state)


def _append(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Add rows to a table; "clips" and results take on the columns and types of what comes."""
    connection.register("incoming", rows.combine_chunks())
    kind = name.removeprefix(f"{RESULTS}/")
    if kind != name:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {RESULTS}")
        _unite(connection, f"{RESULTS}.{_quoted(kind)}")
    elif name == "clips":
        _unite(connection, "parts.clips")
    else:
        connection.execute(f"INSERT INTO parts.{name} BY NAME SELECT * FROM incoming")
    connection.unregister("incoming")


def _unite(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Columns by name, types widened to what holds both: a label that is text anywhere is text."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM incoming LIMIT 0")
    connection.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} UNION ALL BY NAME SELECT * FROM incoming"
    )


def _make_result_views(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """A view per kind of result, of the same name unless a documented view has it; table → view."""
    taken = {name.lower() for (name,) in connection.execute(_VIEW_NAMES).fetchall()}
    tables = f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{RESULTS}' ORDER BY 1"
    views: dict[str, str] = {}
    for (kind,) in connection.execute(tables).fetchall():
        view = f"{RESULTS}_{kind}" if kind.lower() in taken else kind
        rows = f"SELECT * EXCLUDE ({PART}) FROM {RESULTS}.{_quoted(kind)}"
        connection.execute(f"CREATE VIEW {_quoted(view)} AS {rows}")
        connection.execute(f"COMMENT ON VIEW {_quoted(view)} IS {_literal(f'results of the kind {kind}')}")
        views[f"{RESULTS}/{kind}"] = view
    return views


def _comment_columns(connection: duckdb.DuckDBPyConnection, views: Mapping[str, str]) -> None:
    """Document the columns that came with the data."""
    query = """
        SELECT table_name, column_name, string_agg(DISTINCT comment, ', ' ORDER BY comment)
        FROM parts.column_comments GROUP BY ALL
    """
    for table, column, comment in connection.execute(query).fetchall():
        target = f"{_quoted(views.get(table, table))}.{_quoted(column)}"
        connection.execute(f"COMMENT ON COLUMN {target} IS {_literal(comment)}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
