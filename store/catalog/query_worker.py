"""Answers SQL in a process of its own, on a connection that can reach nothing but the catalog.

Two layers: the connection (external access off from the first statement, configuration locked, the file
attached read-only, no spilling to disk, limited memory) and `store.catalog.sql_guard` for what DuckDB leaves
open. The process is there to be killed: DuckDB obeys an interrupt between vectors of rows, and some functions
spend minutes and gigabytes within one value.
"""

import os
import re
import resource
import select
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb
import pyarrow as pa

from store.catalog.damage import check_undamaged
from store.catalog.kept_connection import KeptConnection
from store.catalog.query_messages import (
    RECEIVED,
    Answer,
    Failed,
    Question,
    receive_question,
    send_answer,
    send_batch,
)
from store.catalog.sql_guard import check_reads_only
from store.catalog.vector_tables import KEYS, VectorColumns, VectorTables
from store.errors import InvalidInput, QueryRefused, UndertoneError
from store.results.views import absence

BATCH_ROWS = 100_000
SPARE_BYTES = 3 * 2**30
THREAD_BYTES = 160 * 2**20
"""Addresses beside those of DuckDB and of the result: code, stacks, what allocators keep."""
RETIRE_BYTES = 2**30
"""A process that keeps more than this does not answer again: allocators seldom give all memory back."""

_MISSING_TABLE = re.compile(r'Table with name "?(?P<name>\w+)"? does not exist')
_INTERNAL_HINT = re.compile(r' Did you mean "[^"]*\b(declared|parts|results|typed)\.[^"]*"\?')
"""Schemas that views are made from, which nobody should query."""


def main() -> None:
    """Answer what comes through the descriptor named on the command line, until its other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks gets Ctrl-C, and kills this process
    connection = Connection(int(sys.argv[1]))
    vectors = VectorTables(Connection(int(sys.argv[2])))
    kept = KeptConnection()
    threading.Thread(target=_end_with_the_other_end, args=(connection.fileno(),), daemon=True).start()
    while True:
        question = receive_question(connection)
        connection.send_bytes(RECEIVED)
        _limit_memory(question)
        notes: list[str] = []
        try:
            vectors.begin(question.vectors)
            for batch in answer(question, notes, vectors, kept):
                send_batch(connection, batch)
            reply: Answer | Failed = Answer(tuple(notes), last=_resident_bytes() > RETIRE_BYTES)
        except UndertoneError as error:
            reply = Failed(type(error).__name__, str(error))
        except MemoryError:
            reply = Failed("QueryRefused", "Out of Memory: the query needs more than it may have")
        except Exception as error:  # noqa: BLE001 (nobody sees a traceback of this process)
            reply = Failed("QueryRefused", f"the query failed ({type(error).__name__}: {error})")
        vectors.end()
        send_answer(connection, reply)


def answer(
    question: Question,
    notes: list[str],
    vectors: VectorTables | None = None,
    kept: KeptConnection | None = None,
) -> Iterator[pa.RecordBatch]:
    """The result batch by batch, the first one empty to show the columns; `notes` gets what to tell the user.

    Raises:
        QueryRefused: the statement is wrong, not a SELECT, or too large.
        CorruptData: it needs a file of the store that is damaged.
        InvalidInput: a given table has no usable name.
    """
    connections = kept or KeptConnection()
    again = kept is not None and not question.tables
    with connections.lent(question.catalog, question.memory_bytes, again=again) as opened:
        connection = opened.connection
        try:
            for name, table in question.tables.items():
                _register(connection, name, table, question.vectors.get(name), vectors)
            check_reads_only(connection, question.sql)
            check_undamaged(connection, opened.damage, question.sql)
            yield from _batches(connection, question)
            notes += opened.damage.notes()
        except (duckdb.Error, OSError) as error:  # a failure while batches are fetched arrives as OSError
            if isinstance(error, UndertoneError):
                raise
            if vectors is not None and vectors.failure is not None:
                raise vectors.failure from error
            raise QueryRefused(_explain(error, connection)) from error


def _batches(connection: duckdb.DuckDBPyConnection, question: Question) -> Iterator[pa.RecordBatch]:
    """Batches are counted as they come because DuckDB's memory limit ends here."""
    reader = connection.execute(question.sql, question.parameters or None).to_arrow_reader(BATCH_ROWS)
    yield pa.RecordBatch.from_pylist([], reader.schema)
    size_bytes = 0
    for batch in reader:
        size_bytes += batch.nbytes
        if size_bytes > question.memory_bytes:
            raise QueryRefused(
                f"the result is larger than {question.memory_bytes / 1e9:.1f} GB; "
                "add LIMIT, WHERE or an aggregate"
            )
        yield batch


def _register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: pa.Table,
    columns: VectorColumns | None,
    vectors: VectorTables | None,
) -> None:
    if not name.isidentifier() or name.lower().startswith(("duckdb_", "pragma_", "pg_", "sqlite_")):
        raise InvalidInput(f'"{name}" cannot be a table name; use letters, digits and _, for example "mine"')
    if name.lower() in (known.lower() for known in _relation_names(connection)):
        raise InvalidInput(f'the catalog already has a table "{name}"; choose another name for yours')
    if columns is None or vectors is None:
        connection.register(name, table)
        return
    if sys.modules.get("numpy", connection) is None:
        del sys.modules["numpy"]  # DuckDB calls no function of ours without it
    connection.register(f"{KEYS}{name}", table)
    vectors.register(connection, name, columns)


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
        return f"{message} (tables: {names}; `undertone sql STORE --format table` lists their columns)"
    return message


def _relation_names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Views of the catalog and tables registered on this connection."""
    rows = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' ORDER BY ALL"
    ).fetchall()
    return [str(name) for (name,) in rows if not str(name).startswith(KEYS)]


def _limit_memory(question: Question) -> None:
    given = sum(table.nbytes for table in question.tables.values())
    spare = SPARE_BYTES + (os.cpu_count() or 1) * THREAD_BYTES
    limit = 2 * question.memory_bytes + given + spare
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _resident_bytes() -> int:
    """Memory that this process keeps; the peak that the system tells may be that of its parent."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _end_with_the_other_end(descriptor: int) -> None:
    """Whoever asked may be killed in the middle of a question: nobody is left to stop this process then."""
    watch = select.poll()
    watch.register(descriptor, 0)
    watch.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
