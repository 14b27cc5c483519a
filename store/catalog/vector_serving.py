"""Give the process that answers SQL the vectors that a query needs, through memory that both see."""

import json
import mmap
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.catalog.query_messages import shared_file
from store.errors import QueryRefused, UndertoneError

BLOCK_ROWS = 2048
"""Vectors that are asked for at once, at most: as many as DuckDB works on at a time."""

Numbers = NDArray[np.int64]


class Scan(Protocol):
    """Numbered vectors that are read in any order, such as `LayerScan`."""

    @property
    def points(self) -> int: ...
    @property
    def point(self) -> str: ...
    @property
    def width(self) -> int: ...
    def __len__(self) -> int: ...
    def keys(self) -> pa.Table: ...
    def read(self, numbers: Numbers) -> NDArray[np.float32]: ...


@contextmanager
def serving(connection: Connection, scans: Mapping[str, Scan]) -> Iterator[None]:
    """Answer requests for vectors in a thread, from a question to its answer.

    Memory for one block goes to the other side first. A request names a table and the numbers of vectors;
    what follows them in order is read ahead, while the other side is at work.
    """
    if not scans:
        yield
        return
    size = BLOCK_ROWS * 4 * max(scan.width for scan in scans.values())
    with shared_file() as file:
        file.truncate(size)
        send_handle(connection, file.fileno(), None)
        with mmap.mmap(file.fileno(), size) as memory:
            thread = threading.Thread(target=_serve, args=(connection, scans, memory), daemon=True)
            thread.start()
            try:
                yield
            finally:
                thread.join()


def _serve(connection: Connection, scans: Mapping[str, Scan], memory: mmap.mmap) -> None:
    """Until the other side says that the question is answered, or is gone."""
    ahead: dict[tuple[str, int, int], Future[NDArray[np.float32]]] = {}
    with ThreadPoolExecutor(1) as reader:
        try:
            while request := connection.recv_bytes():
                name, numbers = _decoded(request)
                scan = scans[name]
                place = (name, int(numbers[0]), len(numbers))
                known = ahead.pop(place, None) if _is_run(numbers) else None
                reply = b""
                try:
                    vectors = known.result() if known is not None else scan.read(_checked(scan, numbers))
                    memory.seek(0)
                    memory.write(vectors.data.cast("B"))
                except UndertoneError as error:
                    reply = json.dumps([type(error).__name__, str(error)]).encode()
                connection.send_bytes(reply)
                ahead.clear()
                if _is_run(numbers) and not reply:
                    start, stop = int(numbers[-1]) + 1, min(int(numbers[-1]) + 1 + len(numbers), len(scan))
                    if start < stop:
                        following = np.arange(start, stop)
                        ahead[name, start, len(following)] = reader.submit(scan.read, following)
        except (EOFError, OSError):  # it was killed, or died of the question
            return


def _decoded(request: bytes) -> tuple[str, Numbers]:
    name, _, numbers = request.partition(b"\n")
    return name.decode(), np.frombuffer(numbers, np.int64)


def _checked(scan: Scan, numbers: Numbers) -> Numbers:
    """The numbers, which come from the text of a user where that calls our function itself."""
    if len(numbers) > BLOCK_ROWS or ((numbers < 0) | (numbers >= len(scan))).any():
        raise QueryRefused("the vectors of a table are asked for by numbers that it does not have")
    return numbers


def _is_run(numbers: Numbers) -> bool:
    return bool(len(numbers) and (np.diff(numbers) == 1).all())
