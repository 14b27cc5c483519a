"""Fill the tables of a catalog file from parts, and make the views that people query."""

# ruff: noqa: S608 (names are quoted, values are parameters)

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from store.catalog.damage import UNRECORDED
from store.catalog.parts import PART, RESULTS, DamagedPart, read_parts
from store.catalog.quoting import sql_name, sql_value
from store.catalog.sandbox import CONFIGURATION
from store.catalog.segments import (
    kept,
    large_and_small,
    make_unions,
    segments_in,
    set_aside,
    what_unions_depend_on,
)
from store.dataset_columns import without_rounding
from store.objects.protocol import ObjectStore
from store.results.schemas import TABLES, declarations
from store.results.views import newest_of, result_comment

TABLES_SQL = Path(__file__).with_name("tables.sql")
VIEWS = (
    "views.sql", "clusterings.sql", "layers.sql", "superposition.sql", "steering.sql", "transfers.sql",
    "signatures.sql", "listening.sql",
)  # fmt: skip
VIEWS_SQL = tuple(Path(__file__).with_name(name) for name in VIEWS)
VERSION_KEY = "version"
"""In the recorded state, beside the keys of parts: which code made the file."""
NO_PARTS = (VERSION_KEY, UNRECORDED)
READ_AT_ONCE = 2000
MEMORY_BYTES = 8_000_000_000
CLIPS = re.compile(r"datasets/.+/clips(-[0-9a-f]{16})?\.parquet")
_VIEW_NAMES = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"


def fill_catalog(
    path: Path,
    objects: ObjectStore,
    wanted: Mapping[str, str],
    *,
    segments: Path,
    again: AbstractSet[str] = frozenset(),
) -> dict[str, int]:
    """Bring the catalog at `path`, which may be new, from the parts it records to the wanted ones.

    Parts of `again` are read once more, although they look like those that are recorded. Rows of large parts
    go into the folder `segments`; returns those that the catalog names now, with their lengths.
    """
    configuration = CONFIGURATION | {"memory_limit": f"{MEMORY_BYTES}B"}
    connection = duckdb.connect(path, config=configuration)
    try:
        connection.execute(f"SET allowed_directories = [{sql_value(str(segments))}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("BEGIN")  # one write to the disk instead of one per statement
        before, united = _what_views_depend_on(connection), what_unions_depend_on(connection)
        _make_tables(connection)
        known = dict(connection.execute("SELECT * FROM parts.state").fetchall())
        changed = {key for key in {*known, *wanted} if known.get(key) != wanted.get(key)} | again
        changed |= _clear_flexible_tables(connection, changed, known, wanted)
        _forget(connection, sorted(changed & known.keys()))
        new = {key: wanted[key] for key in sorted(changed & wanted.keys())}
        _load(connection, objects, new, segments)
        if united != what_unions_depend_on(connection):
            make_unions(connection)
        if before != _what_views_depend_on(connection):
            _make_views(connection)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")  # closing would do it too, but keep silent about a full disk
        return segments_in(connection)
    finally:
        connection.close()


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that are not there yet."""
    connection.execute(TABLES_SQL.read_text(encoding="utf-8"))
    connection.execute(declarations(PART))


def _clear_flexible_tables(
    connection: duckdb.DuckDBPyConnection,
    changed: AbstractSet[str],
    known: Mapping[str, str],
    wanted: Mapping[str, str],
) -> set[str]:
    """Empty the tables whose columns must be found anew; returns the keys that have to be read again.

    That is when a part of theirs is gone. For clips also when one is new: an integer label that becomes text
    must not depend on whether it was a float in between ("90" or "90.0").
    """
    tables = {_flexible_table(key) for key in changed if key in known or CLIPS.fullmatch(key)} - {None}
    for table in tables:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    _make_tables(connection)
    return {key for key in {*known, *wanted} if _flexible_table(key) in tables}


def _flexible_table(key: str) -> str | None:
    """The table of a part whose columns come with the data."""
    if CLIPS.fullmatch(key):
        return kept("parts", "clips")
    folder, _, rest = key.partition("/")
    return kept(RESULTS, rest.split("/")[0]) if folder == RESULTS else None


def _forget(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> None:
    """Take the rows of these parts out of every table."""
    if not keys:
        return
    connection.register("gone", pa.table({"key": keys}))
    tables = "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
    for schema, table in connection.execute(tables).fetchall():
        target = f"{sql_name(schema)}.{sql_name(table)}"
        connection.execute(f"DELETE FROM {target} WHERE {PART} IN (SELECT key FROM gone)")
    connection.unregister("gone")


def _load(
    connection: duckdb.DuckDBPyConnection, objects: ObjectStore, new: Mapping[str, str], segments: Path
) -> None:
    """Read new parts and record them; one that vanished since it was listed is not recorded."""
    keys = [key for key in new if key not in NO_PARTS]
    found = [key for key in new if key in NO_PARTS]
    for start in range(0, len(keys), READ_AT_ONCE):
        collected: dict[str, list[pa.Table]] = {}
        for key, tables in read_parts(objects, keys[start : start + READ_AT_ONCE]):
            found.append(key)
            rows_by_table = _damage(connection, key, tables) if isinstance(tables, DamagedPart) else tables
            for name, rows in rows_by_table.items():
                collected.setdefault(name, []).append(rows)
        for name, blocks in collected.items():
            _append(connection, name, blocks, segments)
    _insert(connection, "parts.state", [pa.table({PART: found, "version": [new[key] for key in found]})])


def _damage(connection: duckdb.DuckDBPyConnection, key: str, part: DamagedPart) -> Mapping[str, pa.Table]:
    """Rows that tell of a damaged part; its tables must be there for queries to be refused."""
    for feed in part.feeds:
        schema, _, name = feed.partition(".")
        if schema == RESULTS:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {kept(RESULTS, name)} ({PART} VARCHAR)")
    row = {PART: key, "message": part.message, "feeds": list(part.feeds)}
    return {"damaged": pa.Table.from_pylist([row])}


def _append(
    connection: duckdb.DuckDBPyConnection, name: str, blocks: Sequence[pa.Table], segments: Path
) -> None:
    """Add rows to a table; "clips" and results take on the columns and types of what comes."""
    kind = name.removeprefix(f"{RESULTS}/")
    schema = RESULTS if kind != name else "parts"
    blocks = without_rounding(blocks) if name == "clips" else blocks
    if schema == "parts" and name not in _WITH_SEGMENTS:
        _insert(connection, f"parts.{name}", blocks)
        return
    large, small = large_and_small(blocks)
    table = kept(schema, kind)
    if schema == RESULTS or name == "clips":
        _unite(connection, table, [*small, *(block.slice(0, 0) for block in large)])
    elif small:
        _insert(connection, table, small)
    for block in large:
        part = block[PART][0].as_py()
        set_aside(connection, segments, f"{schema}.{kind}", block.replace_schema_metadata(), part)


_WITH_SEGMENTS = (
    "clips", "planned_clips", "planned_units", "dataset_changes", "dataset_failures", "clip_states"
)  # fmt: skip
"""Tables of `tables.sql` in "kept_parts"."""


def _insert(connection: duckdb.DuckDBPyConnection, table: str, blocks: Sequence[pa.Table]) -> None:
    with _registered(connection, blocks) as incoming:
        connection.execute(f"INSERT INTO {table} BY NAME {incoming}")


def _unite(connection: duckdb.DuckDBPyConnection, table: str, blocks: Sequence[pa.Table]) -> None:
    """Columns by name, types widened to what holds both: a label that is text anywhere is text."""
    with _registered(connection, blocks) as incoming:
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS SELECT * FROM ({incoming}) LIMIT 0")
        united = f"SELECT * FROM {table} UNION ALL BY NAME {incoming}"
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS {united}")


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, blocks: Sequence[pa.Table]) -> Iterator[str]:
    """All rows of blocks in SQL, within the block."""
    names = _register(connection, blocks)
    yield " UNION ALL BY NAME ".join(f"SELECT * FROM {name}" for name in names)
    for name in names:
        connection.unregister(name)


def _register(connection: duckdb.DuckDBPyConnection, blocks: Sequence[pa.Table]) -> list[str]:
    """Make blocks visible to SQL, those of equal columns and types as one table."""
    alike: dict[str, list[pa.Table]] = {}
    for block in blocks:
        plain = block.replace_schema_metadata()
        alike.setdefault(str(plain.schema), []).append(plain)
    tables = {f"incoming_{number}": pa.concat_tables(group) for number, group in enumerate(alike.values())}
    for name, table in tables.items():
        connection.register(name, table.combine_chunks())
    return list(tables)


def _what_views_depend_on(connection: duckdb.DuckDBPyConnection) -> tuple[list[tuple[str, ...]], ...]:
    """Columns of all tables, and the comments that came with them: all views take a third of a second."""
    columns = """
        SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
        WHERE NOT internal AND schema_name NOT IN ('main', 'typed') ORDER BY ALL
    """
    comments = (
        "SELECT DISTINCT table_name, lower(column_name), comment FROM parts.column_comments ORDER BY ALL"
    )
    found = connection.execute(columns).fetchall()
    return found, connection.execute(comments).fetchall() if found else []


def _make_views(connection: duckdb.DuckDBPyConnection) -> None:
    """All anew: a view remembers the columns that its tables had."""
    for (name,) in connection.execute(_VIEW_NAMES).fetchall():
        connection.execute(f"DROP VIEW {sql_name(name)}")
    _make_typed_views(connection)
    for views in VIEWS_SQL:
        connection.execute(views.read_text(encoding="utf-8"))
    _comment_declared_columns(connection)
    _comment_columns(connection, _make_result_views(connection))


def _make_typed_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Each declared kind of result in just the declared columns; a value of another type is NULL there."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS typed")
    query = """
        SELECT table_name, column_name, data_type FROM duckdb_columns()
        WHERE schema_name = 'declared' AND column_name <> ? ORDER BY table_name, column_index
    """
    casts: dict[str, list[str]] = {}
    for kind, column, type_ in connection.execute(query, [PART]).fetchall():
        name = sql_name(column)
        casts.setdefault(kind, []).append(f"TRY_CAST({name} AS {type_}) AS {name}")
    views = "SELECT view_name FROM duckdb_views() WHERE schema_name = ?"
    present = {kind for (kind,) in connection.execute(views, [RESULTS]).fetchall()}
    for kind, columns in casts.items():
        results = f" UNION ALL BY NAME FROM {RESULTS}.{sql_name(kind)}" if kind in present else ""
        rows = f"SELECT {', '.join(columns)} FROM (FROM declared.{sql_name(kind)}{results})"
        connection.execute(f"CREATE OR REPLACE VIEW typed.{sql_name(kind)} AS {rows}")


def _make_result_views(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """A view per kind of result, of the same name unless a documented view has it; table → view."""
    taken = {name.lower() for (name,) in connection.execute(_VIEW_NAMES).fetchall()}
    kinds = f"SELECT view_name FROM duckdb_views() WHERE schema_name = '{RESULTS}' ORDER BY 1"
    views: dict[str, str] = {}
    for (kind,) in connection.execute(kinds).fetchall():
        view = f"{RESULTS}_{kind}" if kind.lower() in taken else kind
        rows = f"SELECT {_columns_of_result(connection, kind)} FROM {RESULTS}.{sql_name(kind)}"
        connection.execute(f"CREATE VIEW {sql_name(view)} AS {rows} {_only_newest(connection, view, kind)}")
        connection.execute(f"COMMENT ON VIEW {sql_name(view)} IS {sql_value(result_comment(view, kind))}")
        views[f"{RESULTS}/{kind}"] = view
    return views


def _columns_of_result(connection: duckdb.DuckDBPyConnection, kind: str) -> str:
    """All but the catalog's own; where every file of the kind is damaged, there are none to show."""
    query = "SELECT count(*) FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?"
    found = connection.execute(query, [RESULTS, kind]).fetchone()
    return f"* EXCLUDE ({PART})" if found and found[0] > 1 else "NULL AS damaged"


def _only_newest(connection: duckdb.DuckDBPyConnection, view: str, kind: str) -> str:
    """What keeps, of rows that stand for the same, those of the newest part; nothing where all rows count."""
    query = "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?"
    present = {column for (column,) in connection.execute(query, [RESULTS, kind]).fetchall()}
    key = [sql_name(column) for column in newest_of(view) if column in present]
    if not key or "created_at" not in present:
        return ""
    return f"QUALIFY 1 = rank() OVER (PARTITION BY {', '.join(key)} ORDER BY created_at DESC, {PART})"


def _comment_columns(connection: duckdb.DuckDBPyConnection, views: Mapping[str, str]) -> None:
    """Document the columns that came with the data; names that differ in case alone are one column."""
    query = """
        SELECT table_name, lower(column_name), string_agg(DISTINCT comment, ', ' ORDER BY comment)
        FROM parts.column_comments GROUP BY ALL
    """
    existing = "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main'"
    names = {(view, column.lower()): column for view, column in connection.execute(existing).fetchall()}
    for table, column, comment in connection.execute(query).fetchall():
        view = views.get(table, table)
        if (view, column) not in names:  # a part without rows made no table
            continue
        target = f"{sql_name(view)}.{sql_name(names[view, column])}"
        connection.execute(f"COMMENT ON COLUMN {target} IS {sql_value(comment)}")


def _comment_declared_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Document what a view shows of the table of results with its name, where the view says nothing else."""
    query = """
        SELECT table_name, column_name FROM duckdb_columns()
        WHERE schema_name = 'main' AND NOT internal AND comment IS NULL
    """
    for view, column in connection.execute(query).fetchall():
        if view in TABLES and column in TABLES[view].columns:
            comment = TABLES[view].columns[column].comment
            connection.execute(
                f"COMMENT ON COLUMN {sql_name(view)}.{sql_name(column)} IS {sql_value(comment)}"
            )
