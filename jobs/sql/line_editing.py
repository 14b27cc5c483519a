"""Line editing with history and completion, by the standard library's readline."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.user_cache import user_folder
from store.catalog.query import View

HISTORY_LINES = 2000
COMMANDS = (".help", ".quit", ".table", ".tables")
WORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "JOIN", "USING", "DESC", "DISTINCT",
    "count(*)", "avg", "min", "max", "round",
)  # fmt: skip
_PLAIN = re.compile(r"[A-Za-z_]\w*")
LineReader = Callable[[str], str]


def history_file() -> Path:
    """Where the lines of earlier sessions stand; $XDG_STATE_HOME decides the folder."""
    return user_folder("XDG_STATE_HOME", "~/.local/state") / "sql_history"


def completions(line: str, word: str, views: Sequence[View]) -> list[str]:
    """What may stand in the place of the word being typed, given the line up to there.

    A command completes to commands, `.table` and FROM to tables, a name with a dot to columns of that table,
    anything else to columns of the tables that the line names (or all), tables and words of SQL.
    """
    before = line[: len(line) - len(word)]
    if not before.strip() and word.startswith("."):
        return _beginning(word, COMMANDS)
    tables = [view.name for view in views]
    if re.search(r"(?:^\s*\.table|\b(?:from|join))\s+$", before, re.IGNORECASE):
        return _beginning(word, tables)
    table, dot, beginning = word.rpartition(".")
    if dot:
        return [f"{table}.{name}" for name in _beginning(beginning, _columns(views, {table.lower()}))]
    named = {name.lower() for name in re.findall(r"\w+", line)} & {name.lower() for name in tables}
    names = [*_columns(views, named or {name.lower() for name in tables}), *tables]
    return _beginning(word, [*dict.fromkeys(names)]) + (_beginning(word, WORDS) if word else [])


@contextmanager
def edited_lines(views: Callable[[], Sequence[View]]) -> Iterator[LineReader]:
    """A reader of lines while the block runs; the history is written when it ends.

    Without readline (some builds of Python have none) lines are read all the same.
    """
    try:
        import readline
    except ImportError:
        yield input
        return
    path = history_file()
    with suppress(OSError):  # there is none yet, or it cannot be read: then the session begins without
        readline.read_history_file(path)
    readline.set_history_length(HISTORY_LINES)
    known: list[View] = []
    found: list[str] = []

    def complete(word: str, number: int) -> str | None:
        if number == 0:
            known.extend(views() if not known else ())
            found[:] = completions(readline.get_line_buffer()[: readline.get_endidx()], word, known)
        return found[number] if number < len(found) else None

    readline.set_completer_delims(" \t\n,()=<>+-*/;'\"")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    try:
        yield input
    finally:
        readline.set_completer(None)
        with suppress(OSError):  # a folder that cannot be written costs the history, not the session
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)
            path.chmod(0o600)


def _columns(views: Sequence[View], tables: set[str]) -> list[str]:
    return [column.name for view in views if view.name.lower() in tables for column in view.columns]


def _beginning(word: str, names: Sequence[str]) -> list[str]:
    """Names that begin like the word, those that SQL takes as they are."""
    plain = [name for name in names if _PLAIN.fullmatch(name.lstrip(".")) or name in WORDS]
    return [name for name in plain if name.lower().startswith(word.lower())]
