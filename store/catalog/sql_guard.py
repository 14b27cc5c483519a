"""Accept exactly one statement that only reads, by DuckDB's own syntax tree.

The locks of `store.catalog.sandbox` keep SQL from other files and from changing anything, but on DuckDB 1.5.5
they leave open: COPY may overwrite the catalog file and its write-ahead log (a database's own files are
always allowed paths), some pragmas and table functions switch on logging to a file or show where the
catalog lies. So the statement's syntax tree, as DuckDB itself parses it, is checked by name.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from store.errors import QueryRefused

_SYSTEM_RELATIONS = frozenset({"duckdb_columns", "duckdb_tables", "duckdb_types", "duckdb_views"})
READING_TABLE_FUNCTIONS = _SYSTEM_RELATIONS | {
    "duckdb_functions",
    "duckdb_keywords",
    "generate_series",
    "histogram",
    "histogram_values",
    "json_each",
    "json_tree",
    "range",
    "repeat",
    "repeat_row",
    "summary",
    "unnest",
}
"""An allow-list: a table function of a later DuckDB is refused until somebody has looked at it."""

REFUSED_FUNCTIONS = frozenset(
    {"current_setting", "json_serialize_plan", "pg_sleep", "setseed", "sleep_ms", "st_setcrs", "write_log"}
)
"""Scalar functions that show settings (paths), plan other SQL text, wait or change the session."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_PIVOT = re.compile(
    r"[\s(]*(?:PIVOT|(?:SELECT|FROM|WITH)\b.*\bPIVOT)(?:_WIDER)?\b", re.IGNORECASE | re.DOTALL
)
_ABOUT_PIVOT = "A PIVOT needs its values listed: PIVOT … ON column IN (…)"
_SYSTEM_PREFIXES = ("duckdb_", "pragma_", "pg_", "sqlite_")


def check_reads_only(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises QueryRefused unless `sql` is one SELECT (or SHOW, DESCRIBE, SUMMARIZE) of allowed functions."""
    statements = statements_of(connection, sql)
    if len(statements) != 1:
        raise QueryRefused(f"one SELECT statement is run at a time; this text holds {len(statements)}")
    try:
        for node in nodes_of(statements[0]):
            _check_functions(node)
            _check_relation(node)
    except RecursionError as error:
        raise QueryRefused("the statement is nested too deeply; write it flatter") from error


def statements_of(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    """The syntax tree of each statement; refuses what is not a SELECT."""
    found = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    assert found is not None
    try:
        tree = json.loads(found[0])
    except RecursionError as error:
        raise QueryRefused("the statement is nested too deeply; write it flatter") from error
    if tree["error"]:
        if tree["error_type"] != "not implemented":
            raise QueryRefused(" ".join(str(tree["error_message"]).split()))
        refused = "only one SELECT (or DESCRIBE, SHOW, SUMMARIZE) is run here: the catalog cannot be changed."
        raise QueryRefused(f"{refused} {_ABOUT_PIVOT}" if _PIVOT.match(_QUOTED.sub("", sql)) else refused)
    return list(tree["statements"])


def nodes_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, at any depth."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_functions(node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in READING_TABLE_FUNCTIONS:
            allowed = ", ".join(sorted(READING_TABLE_FUNCTIONS))
            raise QueryRefused(
                f'"{name}" is not allowed as a table; table functions here: {allowed}. '
                "Own files are given by --table NAME=PATH"
            )
    name = str(node.get("function_name", "")).lower()
    if name in REFUSED_FUNCTIONS:
        raise QueryRefused(f'the function "{name}" is not allowed here; see --help for what SQL can do')


def _check_relation(node: dict[str, Any]) -> None:
    if node.get("type") != "BASE_TABLE":
        return
    name = str(node.get("table_name", "")).lower()
    if name.startswith(_SYSTEM_PREFIXES) and name not in _SYSTEM_RELATIONS:
        allowed = ", ".join(sorted(_SYSTEM_RELATIONS))
        raise QueryRefused(f'the system table "{name}" is not allowed here; instead: {allowed}')
