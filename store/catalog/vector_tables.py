"""Tables of vectors in the process that answers SQL: a function gives each vector when a query needs it."""

import json
import mmap
import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from store import errors
from store.errors import QueryRefused, UndertoneError

KEYS = "_keys_of_"
FUNCTION = "_vectors_of_"
SLOTS = 8
"""Blocks of vectors that both processes have memory for."""
SPARE_SLOTS = 3
"""Blocks that are not held here: one is being filled, one is read ahead, one is copied."""


@dataclass(frozen=True, slots=True)
class VectorColumns:
    """What SQL must know of a table of vectors."""

    points: int
    """Vectors per row of its keys."""
    point: str
    """Name of the column that numbers them; "": there is one each."""
    width: int


class VectorTables:
    """Fetches vectors from the process that asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        """Threads of DuckDB ask at once."""
        self._memory: mmap.mmap | None = None
        self._held: dict[int, weakref.ref[memoryview]] = {}
        """Blocks that DuckDB looks at, as they are, without a copy: who gave them may not overwrite them."""
        self.failure: UndertoneError | None = None
        """Why vectors could not be read: DuckDB would tell of it in its own words."""

    def begin(self, tables: Mapping[str, VectorColumns]) -> None:
        """A question comes that sees these tables."""
        self.failure = None
        self._held = {}
        if tables:
            descriptor = recv_handle(self._connection)
            try:
                self._memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)

    def end(self) -> None:
        """The question is answered: nothing more is asked for."""
        if self._memory is not None:
            with self._lock:
                self._memory = None  # unmapped with the last vector that DuckDB lets go of
                self._connection.send_bytes(b"")

    def register(self, connection: duckdb.DuckDBPyConnection, name: str, columns: VectorColumns) -> None:
        """Make the view `name` over its keys, which are registered already."""
        function = f'"{FUNCTION}{name}"'
        connection.create_function(
            f"{FUNCTION}{name}",
            lambda numbers: self._fetch(name, columns.width, numbers),
            ["BIGINT"],
            f"FLOAT[{columns.width}]",
            type=PythonUDFType.ARROW,
        )
        rows = f'"{KEYS}{name}"'
        if columns.point:
            # One row of keys after another: neighbouring vectors lie beside each other in the file.
            rows = f'(SELECT clip_id, row, unnest(range({columns.points})) AS "{columns.point}" FROM {rows})'  # noqa: S608
            selected = f'clip_id, "{columns.point}", {function}(row + "{columns.point}") AS vector'
        else:
            selected = f"clip_id, {function}(row) AS vector"
        connection.execute(f'CREATE TEMP VIEW "{name}" AS SELECT {selected} FROM {rows}')  # noqa: S608

    def _fetch(self, name: str, width: int, numbers: pa.ChunkedArray) -> Any:
        column = numbers.combine_chunks() if isinstance(numbers, pa.ChunkedArray) else numbers
        count = len(column)
        wanted = pa.concat_arrays([column]).buffers()[1]
        with self._lock:
            if self._memory is None:
                raise QueryRefused("the question is over")
            start = column.offset * 8
            head = json.dumps([name, self._released()]).encode()
            self._connection.send_bytes(
                head + b"\n" + memoryview(wanted)[start : start + count * 8].tobytes()
            )
            reply = json.loads(self._connection.recv_bytes())
            if not isinstance(reply, int):
                kind, message = reply
                self.failure = getattr(errors, kind, QueryRefused)(message)
                raise self.failure
            values = pa.py_buffer(self._block(reply, count * width * 4))
        flat = pa.Array.from_buffers(pa.float32(), count * width, [None, values])
        return pa.FixedSizeListArray.from_arrays(flat, width)

    def _block(self, slot: int, size: int) -> memoryview | bytes:
        """What stands there; a copy where many others are looked at still, so that some are always free."""
        assert self._memory is not None
        start = slot * (len(self._memory) // SLOTS)
        view = memoryview(self._memory)[start : start + size]
        self._held[slot] = weakref.ref(view)
        return view if len(self._held) <= SLOTS - SPARE_SLOTS else view.tobytes()

    def _released(self) -> list[int]:
        """Blocks that nobody looks at any more."""
        gone = [slot for slot, view in self._held.items() if view() is None]
        for slot in gone:
            del self._held[slot]
        return gone
