"""Start, keep and kill the processes that answer SQL."""

import atexit
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path

import pyarrow as pa

from store.catalog.query_messages import Answer, Failed, Question, decode_answer, send_question
from store.catalog.vector_serving import Scan, serving
from store.errors import StorageError

KEPT = 2
"""Processes that wait for the next question."""
_PROGRAM = f"""
import sys, types
sys.modules["numpy"] = None  # neither DuckDB nor Arrow needs it here, nor what the package imports:
sys.modules["store"] = types.ModuleType("store")  # a third of the time until the first answer
sys.modules["store"].__path__ = [{str(Path(__file__).parents[1])!r}]
from store.catalog.query_worker import main
main()
"""


class QueryProcess:
    """One process that answers a question at a time."""

    def __init__(self) -> None:
        self._pipe, theirs = Pipe()
        self._vectors, theirs_for_vectors = Pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _PROGRAM,
                    str(theirs.fileno()),
                    str(theirs_for_vectors.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), theirs_for_vectors.fileno()],
                start_new_session=True,  # a terminal's Ctrl-C is for who asks
            )
        except BaseException:
            self._pipe.close()
            self._vectors.close()
            raise
        finally:
            theirs.close()
            theirs_for_vectors.close()
        self.is_done = False
        """Whether it answers no more."""

    def ask(
        self, question: Question, scans: Mapping[str, Scan], timeout_seconds: float | None
    ) -> tuple[pa.Table, Answer] | Failed:
        """The result; `scans` are the tables of vectors that the question sees.

        Raises:
            TimeoutError: it takes too long.
            EOFError: the process has died of it.
            ConnectionError: the process was dead before.
        """
        try:
            send_question(self._pipe, question)
            self._pipe.recv_bytes()
        except (OSError, EOFError) as error:
            raise ConnectionError from error
        with serving(self._vectors, scans):
            try:
                return self._reply(timeout_seconds)
            except BaseException:
                self._process.kill()  # nobody waits for its vectors any more
                raise

    def _reply(self, timeout_seconds: float | None) -> tuple[pa.Table, Answer] | Failed:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pieces = []
        while piece := self._receive(deadline):
            pieces.append(pa.ipc.open_stream(piece).read_all())
        reply = decode_answer(self._receive(deadline))
        if isinstance(reply, Failed):
            return reply
        self.is_done = reply.last
        return pa.concat_tables(pieces), reply

    def end(self) -> None:
        """Kill the process, whatever it does, and wait until it is gone."""
        self._pipe.close()
        self._vectors.close()
        self._process.kill()
        self._process.wait()

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def _receive(self, deadline: float | None) -> bytes:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._pipe.poll(left):
            raise TimeoutError
        try:
            return self._pipe.recv_bytes()
        except OSError as error:
            raise EOFError from error


def ask(
    question: Question, scans: Mapping[str, Scan], timeout_seconds: float | None
) -> tuple[pa.Table, Answer] | Failed:
    """The answer of a process that waits, or of a new one where none does (see `QueryProcess.ask`)."""
    for _ in range(KEPT + 1):
        try:
            with _one_process() as process:
                return process.ask(question, scans, timeout_seconds)
        except ConnectionError:
            continue
    raise StorageError(
        "No process for SQL can be started: it ends before it answers. Is there memory left? "
        f"`{sys.executable} -c 'import duckdb, pyarrow'` may say more."
    )


_waiting: list[QueryProcess] = []
_lock = threading.Lock()


def start_early() -> None:
    """Start a process unless one waits: it is there when the question comes."""
    with _lock:
        if not _waiting:
            _waiting.append(QueryProcess())


@contextmanager
def _one_process() -> Iterator[QueryProcess]:
    """A process for one question; it is killed when the block fails or its answer was its last."""
    process = _take()
    try:
        yield process
    except BaseException:
        process.end()
        raise
    with _lock:
        if len(_waiting) < KEPT and not process.is_done:
            _waiting.append(process)
            return
    process.end()


def _take() -> QueryProcess:
    with _lock:
        while _waiting:
            process = _waiting.pop()
            if process.is_alive:
                return process
            process.end()
    return QueryProcess()


def _end_all() -> None:
    with _lock:
        while _waiting:
            _waiting.pop().end()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_waiting.clear)
"""A forked child must not ask its parent's processes."""
