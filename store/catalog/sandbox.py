"""A DuckDB connection that can reach one catalog file and nothing else, from its first statement on."""

from pathlib import Path

import duckdb

from store.catalog.quoting import sql_value
from store.catalog.segments import files_of

CATALOG = "catalog"
"""Name under which the file is attached."""

CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    # A spill folder would be a place that COPY may write to, and a file beside the catalog.
    "temp_directory": "",
}


def locked_connection(catalog: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """A connection that uses a catalog, read-only; every call gets its own DuckDB instance.

    `duckdb.connect(catalog)` would share one instance per path within a process: after the file has been
    swapped it would go on showing the old one, and its locked configuration refuses a second caller.
    The locks come before the file is looked at, so that nothing in it is run without them.
    """
    connection = duckdb.connect(config=CONFIGURATION | {"memory_limit": f"{memory_bytes}B"})
    try:
        path = sql_value(str(catalog))
        allowed = [sql_value(str(file)) for file in (catalog, f"{catalog}.wal", *files_of(catalog))]
        connection.execute(f"SET allowed_paths = [{', '.join(allowed)}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute(f"ATTACH {path} AS {CATALOG} (READ_ONLY)")
        connection.execute(f"USE {CATALOG}")
    except BaseException:
        connection.close()
        raise
    return connection
