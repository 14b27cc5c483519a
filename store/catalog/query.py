"""Run one SELECT of a user over the catalog, in another process that is stopped when its time is up."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from store import errors
from store.catalog.query_messages import Failed, Question
from store.catalog.query_process import ask
from store.catalog.vector_serving import Scan
from store.catalog.vector_tables import VectorColumns
from store.errors import CatalogWarning, InvalidInput, QueryRefused, UndertoneError


def legible_sql(sql: str) -> str:
    """The statement; in an ASCII locale its bytes are taken for UTF-8. Raises `QueryRefused`."""
    try:
        sql.encode()
    except UnicodeEncodeError as unreadable:
        try:
            return os.fsencode(sql).decode()
        except UnicodeError as error:
            before = sql[max(0, unreadable.start - 20) : unreadable.start]
            raise QueryRefused(
                f"the query holds bytes that are no UTF-8, after {before!r}: write it in UTF-8, for example "
                "with `iconv -f latin1 -t utf-8`"
            ) from error
    return sql


DEFAULT_TIMEOUT_SECONDS = 60.0
LONGEST_SECONDS = 1_000_000
"""What the system can wait for is not much more."""
DEFAULT_MEMORY_BYTES = 4_000_000_000


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
    tables: Mapping[str, pa.Table | Scan] | None = None,
    parameters: Mapping[str, Any] | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
) -> pa.Table:
    """The result of one SELECT on the catalog's views and on `tables`, which are visible by their names.

    Of a table of vectors (see `activation_table`) those are read that the query needs, a block at a time.

    `parameters` are the values of $name in the statement: text, numbers, booleans, None or lists of them.
    `memory_bytes` limits DuckDB's own memory and, separately, the size of the result. Warns with
    `CatalogWarning` where the store lacks something that this query does not need.

    Raises:
        InvalidInput: a timeout that is no number of seconds up to `LONGEST_SECONDS`; None is no limit. Or a
            parameter of another kind.
        QueryRefused: the statement is wrong, not a SELECT, too large or too slow.
        CorruptData: it needs a file of the store that is damaged.
    """
    values = {name: _plain(name, value) for name, value in (parameters or {}).items()}
    scans = {name: table for name, table in (tables or {}).items() if not isinstance(table, pa.Table)}
    question = Question(
        catalog,
        legible_sql(sql),
        memory_bytes,
        {name: scans[name].keys() if name in scans else table for name, table in (tables or {}).items()},
        values,
        {name: VectorColumns(scan.points, scan.point, scan.width) for name, scan in scans.items()},
    )
    table, notes = _answered(question, timeout_seconds, scans)
    for note in notes:
        warnings.warn(note, CatalogWarning, stacklevel=2)
    return table


def notes_of(catalog: Path) -> tuple[str, ...]:
    """What the store lacks, as sentences: those that `run_query` warns with."""
    return _answered(Question(catalog, "SELECT 1", DEFAULT_MEMORY_BYTES, {}), DEFAULT_TIMEOUT_SECONDS)[1]


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


def _plain(name: str, value: Any) -> Any:
    """A value of a parameter as JSON has it; NumPy's scalars are what they hold."""
    if isinstance(value, list | tuple):
        return [_plain(name, one) for one in value]
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
    if plain is None or isinstance(plain, str | bool | int | float):
        return plain
    raise InvalidInput(
        f"The parameter ${name} is a {type(value).__name__}; give text, a number, a boolean, None or a list "
        f"of them. A date goes as text: CAST(${name} AS TIMESTAMP)."
    )


def _answered(
    question: Question, timeout_seconds: float | None, scans: Mapping[str, Scan] = MappingProxyType({})
) -> tuple[pa.Table, tuple[str, ...]]:
    """The result and the notes beside it."""
    if timeout_seconds is not None and not 0 < timeout_seconds <= LONGEST_SECONDS:
        raise InvalidInput(
            f"A timeout of {timeout_seconds:g} s: say a number of seconds above 0, "
            f"{LONGEST_SECONDS} (11 days) at most."
        )
    try:
        reply = ask(question, scans, timeout_seconds)
    except TimeoutError as error:
        raise QueryRefused(
            f"the query ran longer than {timeout_seconds:g} s and was stopped; narrow it, or raise --timeout"
        ) from error
    except EOFError as error:
        raise QueryRefused(
            f"the process that ran the query was ended from outside or needed more than its "
            f"{question.memory_bytes / 1e9:.1f} GB of memory; narrow the query"
        ) from error
    if isinstance(reply, Failed):
        raise _error(reply)
    table, answer = reply
    return table, answer.notes


def _error(failed: Failed) -> UndertoneError:
    kind = getattr(errors, failed.error, QueryRefused)
    error: UndertoneError = kind(failed.message)
    return error
