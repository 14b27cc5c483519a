"""Damaged files of a store and their consequences for SQL: which queries they forbid, and what to say.

A file that cannot be read gives no rows, so every query that needs its tables would be wrong: it is refused.
What a query needs follows from the names in it, and in the views it names; a plan would not do, for an
optimizer may leave out a table whose rows it can do without.
"""

import json
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import duckdb

from store.catalog.sandbox import CATALOG
from store.catalog.sql_guard import nodes_of, statements_of
from store.errors import CorruptData

MOST_NAMED = 3
UNRECORDED = "unrecorded"
"""In the recorded state of a catalog, beside the keys of parts: JSON of what no record names."""
AT_WORK_SECONDS = 60.0
"""After the last unit a driver needs a moment for its record."""

Table = tuple[str, str]
"""Schema and name, in small letters."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What of a store is damaged or gone, as one catalog file has it."""

    files: tuple[tuple[str, str, frozenset[Table]], ...]
    """Key, message and tables of each damaged file."""
    told: tuple[tuple[float, str], ...]
    """Sentences on what is missing beside an answer, each with the time (epoch) from which it holds."""

    def notes(self) -> list[str]:
        """What there is to tell now beside an answer that does not need what is missing."""
        now = time.time()
        return [sentence for since, sentence in self.told if since < now]


def find_damage(connection: duckdb.DuckDBPyConnection) -> Damage:
    """Look for damage once for all questions about a catalog file, which never changes."""
    files = tuple(_damaged(connection))
    return Damage(files, tuple(_told(connection, [key for key, _, _ in files])))


def check_undamaged(connection: duckdb.DuckDBPyConnection, damage: Damage, sql: str) -> None:
    """Raise `CorruptData` naming the damaged files whose rows a statement needs."""
    if not damage.files:
        return
    needed = _needed(connection, sql)
    if found := {key: message for key, message, feeds in damage.files if not needed.isdisjoint(feeds)}:
        key, message = next(iter(found.items()))
        said = message.split(": run `", 1)[0].rstrip(".")
        raise CorruptData(
            f"this query needs {key}, which is damaged: {said}.{_others(len(found) - 1)} "
            "`undertone verify STORE` lists all damage and its cure."
        )


def _others(count: int) -> str:
    if count == 0:
        return ""
    return f" ({count} more file{' it needs is' if count == 1 else 's it needs are'} damaged too.)"


def _told(connection: duckdb.DuckDBPyConnection, damaged: Sequence[str]) -> Iterator[tuple[float, str]]:
    if damaged:
        yield (
            _ALWAYS,
            (
                f"{_listed(damaged)} cannot be read, so queries that need "
                f"{'it' if len(damaged) == 1 else 'them'} are refused: `undertone verify STORE` says more."
            ),
        )
    if _has_table(connection, "parts", "completed"):
        yield from ((_ALWAYS, note) for note in _orphans(connection, set(damaged)))
        yield from ((_ALWAYS, note) for note in _lost_markers(connection))
        yield from _lost_completions(connection)
        yield from ((_ALWAYS, note) for note in _unrecorded(connection))


def _orphans(connection: duckdb.DuckDBPyConnection, damaged: AbstractSet[str]) -> list[str]:
    return [
        f"dataset {dataset!r} is gone, although {_listed(runs)} used it: its clips and labels are missing. "
        f"{_CURE}"
        for dataset, runs in connection.execute(_ORPHANS).fetchall()
        if f"datasets/{dataset}/dataset.json" not in damaged
    ]


def _lost_markers(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [
        f"run {run_id} was complete, but {_listed(markers)} {'is' if len(markers) == 1 else 'are'} gone, "
        f"so clips are missing. {_CURE}"
        for run_id, markers in connection.execute(_LOST_MARKERS).fetchall()
    ]


def _lost_completions(connection: duckdb.DuckDBPyConnection) -> list[tuple[float, str]]:
    return [
        (
            latest + AT_WORK_SECONDS,
            f"run {run_id} is complete, but no record says so: it was lost, or the command was killed there. "
            + _CURE,
        )
        for run_id, latest in connection.execute(_LOST_COMPLETIONS).fetchall()
    ]


def _unrecorded(connection: duckdb.DuckDBPyConnection) -> list[str]:
    query = "SELECT version FROM parts.state WHERE _part = ?"
    rows = connection.execute(query, [UNRECORDED]).fetchall()
    return [unrecorded_note(json.loads(version)) for (version,) in rows]


def unrecorded_note(names: Sequence[str]) -> str:
    """A sentence on things that no record names."""
    verbs = "has no record and counts" if len(names) == 1 else "have no record and count"
    return (
        f"{_listed(names)} {verbs} for nothing: the record was lost, or a command is at work on it or was "
        f"killed there. {_CURE}"
    )


_ALWAYS = 0.0
_CURE = "`undertone verify STORE` says what cures it."
_NOT_PLANNED = "its clips are not those of the plan"
_OF_MARKERS = ["parts.commits", "parts.clip_states"]
_STRANGE_MARKERS = """
    SELECT commits._part, ?, ?::VARCHAR[] FROM parts.commits AS commits JOIN parts.planned_units AS planned
    USING (run_id, unit_id)
    WHERE (commits.first_row, commits.clip_ids) <> (planned.first_row, planned.clip_ids)
    ORDER BY ALL
"""
_ORPHANS = """
    SELECT dataset, list('run ' || run_id ORDER BY run_id) FROM (
        SELECT run_id, coalesce(document ->> '$.mode', '') AS mode, coalesce(
            document ->> '$.dataset.name',
            CASE WHEN json_type(document, '$.dataset') = 'VARCHAR' THEN document ->> '$.dataset' END
        ) AS dataset FROM parts.runs
    )
    WHERE mode <> 'generate' AND dataset IS NOT NULL AND dataset NOT IN (SELECT dataset FROM parts.datasets)
    GROUP BY ALL ORDER BY ALL
"""
_LOST_MARKERS = """
    SELECT run_id, list(marker ORDER BY marker) FROM parts.completed
    WHERE marker NOT IN (SELECT _part FROM parts.state)
    AND 'runs/' || run_id || '/run.json' IN (SELECT _part FROM parts.state) -- else none of its markers counts
    AND NOT EXISTS (FROM parts.damaged WHERE starts_with(marker, _part || '/')) -- else nobody knows
    AND (run_id, regexp_extract(marker, '/commits/(.+)[.]json$', 1)) NOT IN ( -- compacted since
        SELECT (run_id, unit_id) FROM parts.commits
    )
    AND NOT EXISTS ( -- in a larger manifest since
        FROM parts.state WHERE regexp_matches(marker, '/commits/[0-9]+-[0-9]+[.]parquet$')
        AND starts_with(_part, regexp_extract(marker, '^.+/commits/[0-9]+-'))
    )
    GROUP BY ALL ORDER BY ALL
"""
_LOST_COMPLETIONS = """
    SELECT run_id, latest
    FROM (SELECT run_id, count(*) AS units FROM parts.planned_units GROUP BY ALL) AS planned
    JOIN (
        SELECT run_id, count(*) AS units, max(committed_at) AS latest FROM parts.commits GROUP BY ALL
    ) AS committed USING (run_id, units)
    WHERE latest IS NOT NULL
    AND units > coalesce((SELECT max(units) FROM parts.completed WHERE completed.run_id = planned.run_id), 0)
    AND NOT EXISTS (
        FROM parts.damaged WHERE starts_with(_part, 'records/runs/' || planned.run_id || '/complete/')
    )
    ORDER BY ALL
"""


def _damaged(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, frozenset[Table]]]:
    """Key, message and tables of each damaged file."""
    if not _has_table(connection, "parts", "damaged"):
        return []
    rows = connection.execute("SELECT _part, message, feeds FROM parts.damaged ORDER BY _part").fetchall()
    if _has_table(connection, "parts", "planned_units"):
        rows += connection.execute(_STRANGE_MARKERS, [_NOT_PLANNED, _OF_MARKERS]).fetchall()
    return [(key, message, frozenset(_table(name) for name in feeds)) for key, message, feeds in rows]


def _needed(connection: duckdb.DuckDBPyConnection, sql: str) -> set[Table]:
    """Tables and views that a statement names, and those that these views name, and so on."""
    views = _views(connection)
    found: set[Table] = set()
    waiting = list(_named(statements_of(connection, sql)))
    while waiting:
        table = waiting.pop()
        if table not in found:
            found.add(table)
            waiting += _named(_body(connection, views[table])) if table in views else ()
    return found


def _views(connection: duckdb.DuckDBPyConnection) -> dict[Table, str]:
    query = "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal"
    rows = connection.execute(query).fetchall()
    return {(schema.lower(), name.lower()): sql for schema, name, sql in rows if sql}


def _body(connection: duckdb.DuckDBPyConnection, definition: str) -> Any:
    """The syntax tree of a view's SELECT: what stands behind the first AS that a statement follows."""
    place = definition.find(" AS ")
    while place >= 0:
        found = connection.execute(
            "SELECT json_serialize_sql(?::VARCHAR)", [definition[place + 4 :]]
        ).fetchone()
        tree = json.loads(found[0]) if found else {"error": True}
        if not tree["error"]:
            return tree
        place = definition.find(" AS ", place + 1)
    raise CorruptData(f"the catalog holds a view that cannot be read: {definition[:80]}")


def _named(tree: Any) -> Iterator[Table]:
    """Relations that a syntax tree names; a common table expression of the same name counts as one too."""
    for node in nodes_of(tree):
        if node.get("type") == "BASE_TABLE":
            schema = str(node.get("schema_name") or CATALOG).lower()
            yield ("main" if schema == CATALOG else schema, str(node["table_name"]).lower())


def _table(name: str) -> Table:
    schema, _, table = name.partition(".")
    return schema.lower(), table.lower()


def _has_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether there is such a table, or a view that stands for one."""
    query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
    found = connection.execute(query, [schema, name]).fetchone()
    return bool(found and found[0])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
