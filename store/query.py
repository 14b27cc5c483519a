"""Runs one SELECT of a user over the catalog, in a connection that can reach nothing else.

Two layers: the connection (file attached read-only, external access off, configuration locked, no
spilling to disk, limited memory and time) and `store.sql_guard` for what DuckDB leaves open.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from store.errors import InvalidInput, QueryRefused
from store.result_views import absence
from store.sql_guard import check_reads_only

DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_MEMORY_BYTES = 4_000_000_000
BATCH_ROWS = 100_000
GRACE_SECONDS = 2.0
"""What an interrupted query gets to stop in."""
QUERY_THREAD = "undertone query"

_MISSING_TABLE = re.compile(r'Table with name "?(?P<name>\w+)"? does not exist')
_INTERNAL_HINT = re.compile(r' Did you mean "[^"]*\b(declared|parts|results|typed)\.[^"]*"\?')
"""Schemas that views are made from, which nobody should query."""

_CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    # A spill folder would be a place that COPY may write to, and a file beside the store.
    "temp_directory": "",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view, as the listing shows it."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class View:
    """One view of the catalog with its documentation."""

    name: str
    comment: str
    columns: tuple[Column, ...]


def run_query(
    catalog: Path,
    sql: str,
    *,
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
    tables: Mapping[str, pa.Table] | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> pa.Table:
    """The result of one SELECT on the catalog's views and on `tables`, which are visible by their names.

    `memory_bytes` limits DuckDB's own memory and, separately, the size of the result.
    Raises QueryRefused when the statement is wrong, not a SELECT, too large or too slow.
    """
    connection = _open(catalog, tables or {}, memory_bytes)
    try:
        return _limited(connection, lambda: _answer(connection, sql, memory_bytes), timeout_seconds)
    except (duckdb.Error, OSError) as error:  # a failure while batches are fetched arrives as OSError
        raise QueryRefused(_explain(error, connection)) from error
    finally:
        if not unstoppable_query():
            connection.close()


def unstoppable_query() -> bool:
    """Whether a query goes on although it was interrupted: only the end of the process stops it.

    DuckDB hears an interrupt between vectors of rows, and some functions spend minutes within one value.
    """
    return any(thread.name == QUERY_THREAD for thread in threading.enumerate())


def describe_views(catalog: Path) -> list[View]:
    """Every view of the catalog with its columns and their documentation, in order of names."""
    views = run_query(
        catalog,
        "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' "
        "ORDER BY view_name",
    )
    columns = run_query(
        catalog,
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND schema_name = 'main' ORDER BY column_index",
    )
    members: dict[str, list[Column]] = {}
    for row in columns.to_pylist():
        column = Column(row["column_name"], row["data_type"], row["comment"] or "")
        members.setdefault(row["table_name"], []).append(column)
    return [
        View(row["view_name"], row["comment"] or "", tuple(members.get(row["view_name"], ())))
        for row in views.to_pylist()
    ]


def _open(catalog: Path, tables: Mapping[str, pa.Table], memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """A locked connection; every call gets its own DuckDB instance.

    `duckdb.connect(catalog)` would share one instance per path within a process: after the file has been
    swapped it would go on showing the old one, and its locked configuration refuses a second caller.
    """
    connection = duckdb.connect(config=_CONFIGURATION | {"memory_limit": f"{memory_bytes}B"})
    try:
        quoted = str(catalog).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS catalog (READ_ONLY)")
        connection.execute("USE catalog")
        for name, table in tables.items():
            _register(connection, name, table)
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _register(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    if not name.isidentifier() or name.lower().startswith(("duckdb_", "pragma_", "pg_", "sqlite_")):
        raise InvalidInput(f'"{name}" cannot be a table name; use letters, digits and _, for example "mine"')
    if name.lower() in (known.lower() for known in _relation_names(connection)):
        raise InvalidInput(f'the catalog already has a table "{name}"; choose another name for yours')
    connection.register(name, table)


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, limit_bytes: int) -> pa.Table:
    """The whole result; batches are counted as they come because DuckDB's memory limit ends here."""
    check_reads_only(connection, sql)
    reader = connection.execute(sql).to_arrow_reader(BATCH_ROWS)
    batches: list[pa.RecordBatch] = []
    size_bytes = 0
    for batch in reader:
        size_bytes += batch.nbytes
        if size_bytes > limit_bytes:
            raise QueryRefused(
                f"the result is larger than {limit_bytes / 1e9:.1f} GB; add LIMIT, WHERE or an aggregate"
            )
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _limited(
    connection: duckdb.DuckDBPyConnection, work: Callable[[], pa.Table], seconds: float | None
) -> pa.Table:
    """What `work` returns; interrupted and refused after `seconds`, and interrupted by Ctrl-C.

    The work has a thread of its own, so that this one is free to watch the clock and to hear Ctrl-C.
    """
    answer: Future[pa.Table] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 (raised again by whoever waits for the answer)
            answer.set_exception(error)

    thread = threading.Thread(target=run, name=QUERY_THREAD, daemon=True)
    try:
        thread.start()
        return answer.result(seconds)
    except TimeoutError as error:
        raise QueryRefused(
            f"the query ran longer than {seconds:g} s and was stopped; narrow it, or raise --timeout"
        ) from error
    finally:
        patience = time.monotonic() + GRACE_SECONDS
        while thread.is_alive() and time.monotonic() < patience:
            connection.interrupt()  # one that falls between two steps is lost: repeat it
            thread.join(0.02)


def _explain(error: Exception, connection: duckdb.DuckDBPyConnection) -> str:
    """DuckDB's message and hint on one line, without its drawing of the statement."""
    text = str(error).split("\n\nLINE ")[0]
    message = " ".join(text.split())
    missing = _MISSING_TABLE.search(message)
    if missing and (said := absence(missing["name"])):
        return said
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        message = _INTERNAL_HINT.sub("", message)
        names = ", ".join(_relation_names(connection))
        return f"{message} (tables: {names}; `undertone sql STORE` alone lists their columns)"
    return message


def _relation_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Views of the catalog and tables registered on this connection."""
    rows = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' ORDER BY ALL"
    ).fetchall()
    return [str(name) for (name,) in rows]
