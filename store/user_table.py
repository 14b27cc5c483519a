"""A user's own CSV, Parquet or JSON-lines file as a table, read before SQL is locked away from files."""

import glob
from pathlib import Path

import duckdb
import pyarrow as pa

from store.errors import InvalidInput, NotFound

_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}


def read_user_table(path: Path) -> pa.Table:
    """All rows of one file; the format follows its ending, CSV delimiter and types are detected."""
    if not path.is_file():
        raise NotFound(f'there is no file "{path}"')
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(f'"{path.name}" cannot be read as a table; endings: {", ".join(_READERS)}')
    connection = duckdb.connect()
    try:
        # Escaped, because DuckDB takes "[1]" or "*" in a file name for a pattern.
        return connection.execute(f"SELECT * FROM {reader}(?)", [glob.escape(str(path))]).to_arrow_table()  # noqa: S608
    except duckdb.Error as error:
        message = " ".join(str(error).split("\n\nLINE ")[0].split())
        raise InvalidInput(f'"{path}" cannot be read as a table: {message}') from error
    finally:
        connection.close()
