"""Give the process that answers SQL the vectors that a query needs, through memory that both see."""

import json
import mmap
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.catalog.query_messages import shared_file
from store.catalog.vector_tables import SLOTS
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
    def read_into(self, numbers: Numbers, vectors: NDArray[np.float32]) -> None: ...


@contextmanager
def serving(connection: Connection, scans: Mapping[str, Scan]) -> Iterator[None]:
    """Answer requests for vectors in a thread, from a question to its answer.

    Memory for some blocks goes to the other side first. A request names a table, the blocks that nobody looks
    at any more and the numbers of vectors; what follows them in order is read ahead, while the other side is
    at work.
    """
    if not scans:
        yield
        return
    size = SLOTS * BLOCK_ROWS * 4 * max(scan.width for scan in scans.values())
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


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A block that is being read before anybody has asked for it."""

    name: str
    numbers: Numbers
    slot: int
    done: Future[None]

    def is_for(self, name: str, numbers: Numbers) -> bool:
        return name == self.name and np.array_equal(numbers, self.numbers)


class _Blocks:
    """Memory for `SLOTS` blocks of vectors: which of it is free, and what is read into it."""

    def __init__(self, scans: Mapping[str, Scan], memory: mmap.mmap, reader: ThreadPoolExecutor) -> None:
        self._scans, self._memory, self._reader = scans, memory, reader
        self._free = list(range(SLOTS))
        self._ahead: _Ahead | None = None

    def release(self, slots: Sequence[int]) -> None:
        """Nobody looks at these any more."""
        self._free += slots

    def read(self, name: str, numbers: Numbers) -> int:
        """Where these vectors are."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            if ahead.is_for(name, numbers):
                ahead.done.result()
                return ahead.slot
            wait([ahead.done])
            self._free.append(ahead.slot)
        slot = self._free.pop()
        try:
            self._fill(name, _checked(self._scans[name], numbers), slot)
        except BaseException:
            self._free.append(slot)
            raise
        return slot

    def read_on(self, name: str, numbers: Numbers) -> None:
        """Begin with those that follow, if that is how they are asked for."""
        if not len(numbers) or not (np.diff(numbers) == 1).all() or not self._free:
            return
        start = int(numbers[-1]) + 1
        following = np.arange(start, min(start + len(numbers), len(self._scans[name])))
        if len(following):
            slot = self._free.pop()
            self._ahead = _Ahead(
                name, following, slot, self._reader.submit(self._fill, name, following, slot)
            )

    def _fill(self, name: str, numbers: Numbers, slot: int) -> None:
        scan, start = self._scans[name], slot * (len(self._memory) // SLOTS)
        vectors = np.ndarray((len(numbers), scan.width), np.float32, self._memory, start)
        failure: UndertoneError | None = None
        try:
            scan.read_into(numbers, vectors)
        except UndertoneError as error:  # whose trace would hold the memory, which could not be closed then
            failure = type(error)(str(error))
        finally:
            del vectors
        if failure is not None:
            raise failure


def _serve(connection: Connection, scans: Mapping[str, Scan], memory: mmap.mmap) -> None:
    """Until the other side says that the question is answered, or is gone."""
    with ThreadPoolExecutor(1) as reader:
        blocks = _Blocks(scans, memory, reader)
        try:
            while request := connection.recv_bytes():
                head, _, numbers = request.partition(b"\n")
                name, released = json.loads(head)
                wanted = np.frombuffer(numbers, np.int64)
                blocks.release(released)
                try:
                    reply: int | list[str] = blocks.read(name, wanted)
                except UndertoneError as error:
                    reply = [type(error).__name__, str(error)]
                connection.send_bytes(json.dumps(reply).encode())
                if isinstance(reply, int):
                    blocks.read_on(name, wanted)
        except (EOFError, OSError):  # it was killed, or died of the question
            return


def _checked(scan: Scan, numbers: Numbers) -> Numbers:
    """The numbers, which come from the text of a user where that calls our function itself."""
    if len(numbers) > BLOCK_ROWS or ((numbers < 0) | (numbers >= len(scan))).any():
        raise QueryRefused("the vectors of a table are asked for by numbers that it does not have")
    return numbers
