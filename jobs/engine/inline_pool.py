"""A pool in the driver's own process: a few threads around one worker, so that its stages overlap."""

import errno
import multiprocessing
import queue
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, Literal

from jobs.engine.tasks import (
    Broken,
    Died,
    Done,
    Event,
    Failed,
    Found,
    Problem,
    Stopped,
    Task,
    Work,
    Worker,
    WorkerFactory,
)
from jobs.progress.logs import LOG, Logging, about_unit, logging_now
from store.errors import ModelError, UnsupportedStore, redacted
from store.records import Receipt

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

IN_FLIGHT = 2
"""Units a worker holds at once: one computes while the next is decoded or the last is written."""


class InlinePool(Generic[Work, Found]):
    """Runs units on threads of this process and trials in a process of their own."""

    def __init__(self, factory: WorkerFactory[Work, Found]) -> None:
        self._factory = factory
        self._worker: Worker[Work, Found] | None = None
        self._threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="unit")
        self._events: queue.SimpleQueue[Event[Work, Found]] = queue.SimpleQueue()
        self._in_flight = 0

    def room(self) -> int:
        return IN_FLIGHT - self._in_flight

    def workers(self) -> int:
        return 1

    def submit(self, task: Task[Work]) -> None:
        self._in_flight += 1
        if self._worker is None and not _in_subprocess(task):
            self._worker = self._factory()
            self._worker.load()
        self._threads.submit(self._run, task)

    def _run(self, task: Task[Work]) -> None:
        if _in_subprocess(task):
            self._events.put(run_apart(self._factory, task))
            return
        assert self._worker is not None
        self._events.put(run_caught(self._worker, task))

    def wait(self, timeout_seconds: float) -> Sequence[Event[Work, Found]]:
        try:
            event = self._events.get(timeout=timeout_seconds)
        except queue.Empty:
            return ()
        self._in_flight -= 1
        return (event,)

    def close(self, *, grace_seconds: float = 5.0) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)


def _in_subprocess(task: Task[Any]) -> bool:
    """A unit that may kill its process must not be tried in the driver's."""
    return task.trial is not None or (task.alone and not task.quarantined)


def run_caught(worker: Worker[Work, Found], task: Task[Work]) -> Done[Work, Found] | Failed[Work]:
    """Run a task, turn an exception into an event, and log what became of it."""
    with about_unit(task.unit.unit_id):
        try:
            done = Done(task, worker.run(task))
        except Exception as error:  # noqa: BLE001 (whatever it is, it travels to the driver as an event)
            problem = describe(error)
            said = {"error": problem.error, "reason": problem.message, "traceback": problem.traceback}
            LOG.error("unit raised", extra=said)
            return Failed(task, problem)
        if done.receipt is None:
            LOG.info("trial survived", extra={"trial_of": len(task.trial or ())})
        else:
            LOG.info("unit committed", extra=_told_of(done.receipt))
        return done


def _told_of(receipt: Receipt[Any]) -> dict[str, Any]:
    seconds = {stage: round(spent, 4) for stage, spent in receipt.seconds.items()}
    counts = {"items": receipt.items, "failed": receipt.failed, "bytes_written": receipt.bytes_written}
    return {**counts, "won": receipt.won, "seconds": seconds}


def describe(error: BaseException) -> Problem:
    """Say what an exception means for the job, in text."""
    out_of_space = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    message = redacted(str(error)) or type(error).__name__
    if out_of_space:
        message = f"The store's disk is full ({message}). Free some space and run the same command again."
    fatal = out_of_space or isinstance(error, (ModelError, UnsupportedStore, Stopped))
    return Problem(type(error).__name__, message, redacted("".join(traceback.format_exception(error))), fatal)


def run_apart(factory: WorkerFactory[Work, Found], task: Task[Work]) -> Event[Work, Found]:
    """Run a task in a fresh process, whose death is an event instead of the end of the job.

    A process that dies before its worker is loaded says nothing about the task.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_apart, args=(factory, task, sender, logging_now()), daemon=True)
    process.start()
    sender.close()  # the child's copy is now the only one: its death ends the stream
    messages: list[Event[Work, Found] | Literal["loaded"]] = []
    try:
        while True:
            messages.append(receiver.recv())
    except EOFError:
        process.join()
    ended = f"the process ended with exit code {process.exitcode}"
    if not messages:
        return Broken(Problem("WorkerDied", f"a worker died while it loaded the model ({ended})"))
    last = messages[-1]
    return Died(task, ended) if last == "loaded" else last


def _apart(
    factory: WorkerFactory[Work, Found], task: Task[Work], sender: "Connection[Any, Any]", log: Logging
) -> None:
    log.begin()
    worker = factory()
    worker.load()
    sender.send("loaded")
    sender.send(run_caught(worker, task))
    sender.close()
