"""Keep the rows of large parts in files of their own, which are not copied when a catalog is refreshed.

A segment is a Parquet file with the rows that one part gives to one table. It is written once, and counts as
long as the catalog names it; what no catalog names any more goes an hour later, when no query reads it.
"""

# ruff: noqa: S608 (names are quoted, values are parameters)

import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from store.catalog.quoting import sql_name, sql_value

LEAST_ROWS = 10_000
"""Of a part; smaller ones are rows of the catalog's own tables."""
KEPT = "kept_"
"""Schemas of the tables beside which segments stand; views of the same name without it show both."""
GRACE_SECONDS = 3600.0
SUFFIX = ".segments"


def folder_of(catalog: Path) -> Path:
    """Where the segments of a catalog lie."""
    return catalog.with_suffix(SUFFIX)


def files_of(catalog: Path) -> list[Path]:
    """Every segment there is."""
    try:
        return sorted(folder_of(catalog).iterdir())
    except OSError:
        return []


def kept(schema: str, name: str) -> str:
    """The table for the rows of small parts."""
    return f"{KEPT}{schema}.{sql_name(name)}"


def set_aside(
    connection: duckdb.DuckDBPyConnection, folder: Path, relation: str, block: pa.Table, part: str
) -> None:
    """Write the rows of a large part into a segment, in the types that the table has.

    Args:
        connection: to the catalog, where the table stands, maybe without rows.
        folder: of segments.
        relation: such as "parts.clips".
        block: the rows, all of one part.
        part: its key.
    """
    schema, _, name = relation.partition(".")
    folder.mkdir(exist_ok=True, mode=0o700)
    file = folder / f"{uuid4().hex}.parquet"
    connection.register("large", block)
    rows = f"(FROM {kept(schema, name)} LIMIT 0) UNION ALL BY NAME FROM large"
    connection.execute(f"COPY ({rows}) TO {sql_value(str(file))} (FORMAT parquet, COMPRESSION zstd)")
    connection.unregister("large")
    values = [part, relation, str(file), file.stat().st_size]
    connection.execute("INSERT INTO parts.segments VALUES (?, ?, ?, ?)", values)


def segments_in(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Path of each segment that a catalog names, with its length."""
    return dict(connection.execute("SELECT file, bytes FROM parts.segments").fetchall())


def are_there(segments: Mapping[str, int]) -> bool:
    """Whether nobody took one away."""
    try:
        return all(Path(file).stat().st_size == nbytes for file, nbytes in segments.items())
    except OSError:
        return False


def what_unions_depend_on(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    """Tables and segments that views unite, with the types of columns."""
    query = f"""
        SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
        WHERE NOT internal AND starts_with(schema_name, '{KEPT}') ORDER BY ALL
    """
    found: list[tuple[str, ...]] = connection.execute(query).fetchall()
    tables = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'parts' AND table_name = 'segments'"
    if connection.execute(tables).fetchone():
        found += connection.execute("SELECT relation, file FROM parts.segments ORDER BY ALL").fetchall()
    return found


def make_unions(connection: duckdb.DuckDBPyConnection) -> None:
    """A view for each table with segments beside it, or without: columns by name, types that hold both."""
    files: dict[str, list[str]] = {}
    for relation, file in connection.execute(
        "SELECT relation, file FROM parts.segments ORDER BY ALL"
    ).fetchall():
        files.setdefault(relation, []).append(file)
    for schema in ("parts", "results"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        views = "SELECT view_name FROM duckdb_views() WHERE schema_name = ? AND NOT internal"
        tables = "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?"
        present = {name for (name,) in connection.execute(tables, [KEPT + schema]).fetchall()}
        for (name,) in connection.execute(views, [schema]).fetchall():
            if name not in present:
                connection.execute(f"DROP VIEW {schema}.{sql_name(name)}")
        for name in sorted(present):
            beside = files.get(f"{schema}.{name}", [])
            rows = [
                f"FROM {kept(schema, name)}",
                *(f"FROM read_parquet({sql_value(file)})" for file in beside),
            ]
            united = " UNION ALL BY NAME ".join(rows)
            connection.execute(f"CREATE OR REPLACE VIEW {schema}.{sql_name(name)} AS {united}")


def sweep(catalog: Path, named: Collection[str], before: Collection[str]) -> None:
    """Take away segments that the catalog does not name, once no query can be reading them.

    Args:
        catalog: the file.
        named: segments that it names now.
        before: those that it named until now.
    """
    now = time.time()
    for file in files_of(catalog):
        with suppress(OSError):  # another refresh was faster
            if str(file) in before and str(file) not in named:
                os.utime(file)
            elif str(file) not in named and file.stat().st_mtime < now - GRACE_SECONDS:
                file.unlink()


def remove_orphans(folder: Path, older_than_seconds: float) -> None:
    """Segments of catalogs that are gone."""
    for segments in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            is_old = segments.stat().st_mtime < time.time() - older_than_seconds
            if is_old and not segments.with_suffix(".duckdb").exists():
                shutil.rmtree(segments)


def large_and_small(blocks: Sequence[pa.Table]) -> tuple[list[pa.Table], list[pa.Table]]:
    """Blocks of rows, each of one part, that become segments, and the others."""
    large = [block for block in blocks if len(block) >= LEAST_ROWS]
    return large, [block for block in blocks if len(block) < LEAST_ROWS]
