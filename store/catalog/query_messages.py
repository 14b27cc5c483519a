"""Messages between the process that asks SQL and the one that answers: JSON and Arrow batches.

The tables of a question may be large, and lie in memory that both see; a result comes in batches.
"""

import json
import mmap
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from store.catalog.vector_tables import VectorColumns

RECEIVED = b"received"
"""From here on the clock of a question runs, and the death of the process is its fault."""
_END = b""


@dataclass(frozen=True, slots=True)
class Question:
    """One statement, and what it may see and use."""

    catalog: Path
    sql: str
    memory_bytes: int
    tables: Mapping[str, pa.Table]
    """Those of vectors come with their keys alone, and vectors one by one as they are needed."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by the names that stand behind $ in the statement."""
    vectors: Mapping[str, VectorColumns] = field(default_factory=dict)
    """By name, what tables of vectors look like."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What follows the last batch of a result."""

    notes: tuple[str, ...]
    """Sentences for the user."""
    last: bool
    """Whether the process answers no more."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no result."""

    error: str
    """Name of a class of `store.errors`."""
    message: str


def send_question(connection: Connection, question: Question) -> None:
    """Send a statement and its tables."""
    header = {
        "catalog": str(question.catalog),
        "sql": question.sql,
        "memory_bytes": question.memory_bytes,
        "tables": list(question.tables),
        "parameters": dict(question.parameters),
        "vectors": {name: asdict(one) for name, one in question.vectors.items()},
    }
    connection.send_bytes(json.dumps(header).encode())
    for table in question.tables.values():
        with shared_file() as file:
            with pa.ipc.new_file(file, table.schema) as stream:
                stream.write_table(table)
            file.flush()
            send_handle(connection, file.fileno(), None)


def receive_question(connection: Connection) -> Question:
    """Wait for the next statement; raises `EOFError` where there will be none."""
    header = json.loads(connection.recv_bytes())
    tables = {name: _mapped_table(recv_handle(connection)) for name in header["tables"]}
    vectors = {name: VectorColumns(**one) for name, one in header["vectors"].items()}
    return Question(
        Path(header["catalog"]), header["sql"], header["memory_bytes"], tables, header["parameters"], vectors
    )


def send_batch(connection: Connection, batch: pa.RecordBatch) -> None:
    """Send some rows together with their schema and dictionaries."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    connection.send_bytes(memoryview(sink.getvalue()))


def send_answer(connection: Connection, reply: Answer | Failed) -> None:
    """End a result, or say that there is none or no more of it."""
    connection.send_bytes(_END)
    connection.send_bytes(json.dumps(asdict(reply)).encode())


def decode_answer(data: bytes) -> Answer | Failed:
    """What `send_answer` sent after the end of the table."""
    fields = json.loads(data)
    return Failed(**fields) if "error" in fields else Answer(tuple(fields["notes"]), fields["last"])


def shared_file() -> BinaryIO:
    """A file without a name, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("undertone-table"), "w+b")
    return tempfile.TemporaryFile()


def _mapped_table(descriptor: int) -> pa.Table:
    try:
        memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    return pa.ipc.open_file(pa.py_buffer(memory)).read_all()
