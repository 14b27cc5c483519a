"""The work of `undertone verify`: what is large is read in tasks, in this process or on Ray."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs.fitting.mapping import map_tasks
from jobs.progress.reporting import Progress, at_work, clock
from jobs.terminal.results import readable_bytes
from jobs.upkeep.inspecting import prefixes_of, unchecked_objects
from jobs.upkeep.verified import Verified
from jobs.upkeep.verify_options import VerifyOptions
from store.arrays.vouched import Vouched, checked
from store.errors import InvalidInput
from store.opening import Store

if TYPE_CHECKING:
    from store.arrays.disagreements import Disagreement
    from store.objects.protocol import ObjectStore

TASK_BYTES, TASK_OBJECTS = 256_000_000, 256
"""A task has no more of both, unless one object is larger."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found, and how much it read."""

    url: str
    found: "list[Disagreement]"
    read: int
    """Large files that were read."""
    known: int
    """Those that an interrupted verification had read."""
    total: int


def run_verification(options: VerifyOptions) -> Verification:
    """Read everything again, or a sample of what is large, and list what disagrees.

    Raises:
        InvalidInput: a sample that is no share; a local folder on a cluster of several nodes.
        NotFound: there is no such store or run.
    """
    from store.upkeep.inspection import inspect

    share = parse_share(options.sample)
    objects = unchecked_objects(options.store)
    prefixes = None if options.run is None else prefixes_of(objects, options.run)
    with ExitStack() as stack:
        verified = None
        if share == 1:  # a sample is soon read anew
            verified = stack.enter_context(Verified(objects, options.run or "", again=options.again))
        reading = _Reading(options, objects, verified, share)
        found = inspect(objects, prefixes, check=reading.check)
    return Verification(objects.url, found, reading.read, reading.known, reading.total)


def amount_read(done: Verification) -> str:
    """A sentence where not every large file was read just now; empty where each was."""
    if done.read == done.total:
        return ""
    known = f"; {done.known:,} an interrupted verification had read (--again reads them anew)"
    return f"{done.read:,} of {done.total:,} large files were read{known if done.known else ''}."


def parse_share(text: str) -> float:
    """A share such as 1% or 0.01; raises `InvalidInput`."""
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if rest or not 0 < share <= 1:
        raise InvalidInput(f"--sample {text!r} is no share: say for example 1% or 0.01, 100% at most.")
    return share


class _Reading:
    """Reads what is large, and tells how far it is."""

    def __init__(
        self, options: VerifyOptions, objects: "ObjectStore", verified: Verified | None, share: float
    ) -> None:
        self._options, self._objects, self._verified, self._share = options, objects, verified, share
        self._draw = random.Random()
        self._started = time.monotonic()
        self._nbytes, self._of_bytes = 0, 0.0
        self.read, self.known, self.total = 0, 0, 0

    def check(self, vouched: Iterable[Vouched], count: int, nbytes: int) -> "Iterator[Disagreement]":
        """The check of `store.upkeep.inspection.inspect`."""
        self.total, self._of_bytes, self._started = count, self._share * nbytes, time.monotonic()
        tasks = list(_tasks(filter(self._is_wanted, vouched)))
        options = self._options
        mapped = map_tasks(
            partial(_checked, options.store),
            tasks,
            engine="ray" if options.engine == "ray" or options.address != "local" else "inline",
            address=options.address,
            workers=options.workers,
            store=Store(self._objects),
            task_bytes=TASK_BYTES,
        )
        with at_work("verify", self._state, tells_end=False, tells_failure=False) as job:
            job.update()
            for place, found in mapped:
                self._note(tasks[place], found)
                job.update()
                yield from found

    def _is_wanted(self, one: Vouched) -> bool:
        if self._share < 1 and self._draw.random() >= self._share:
            return False
        if self._verified is not None and one in self._verified:
            self._of_bytes -= one.nbytes
            self.known += 1
            return False
        return True

    def _note(self, task: Sequence[Vouched], found: "Sequence[Disagreement]") -> None:
        damaged = {problem.key for problem in found}
        if self._verified is not None:
            self._verified.add(one for one in task if one.key not in damaged)
        self.read += len(task)
        self._nbytes += sum(one.nbytes for one in task)

    def _state(self) -> Progress:
        elapsed = time.monotonic() - self._started
        rate = self._nbytes / elapsed if elapsed else 0.0
        of = max(self._of_bytes, self._nbytes)
        left = f" · ETA {clock((of - self._nbytes) / rate)}" if rate else ""
        line = (
            f"verify  {self.read:,} files, {readable_bytes(self._nbytes)} of {readable_bytes(round(of))} · "
            f"{readable_bytes(round(rate))}/s · {clock(elapsed)}{left}"
        )
        values: dict[str, Any] = {
            "done": self._nbytes,
            "total": round(of),
            "unit": "bytes",
            "files": self.read,
            "elapsed_seconds": round(elapsed, 1),
            "bytes_per_second": round(rate),
        }
        return Progress("verify", "progress", values, line, self._nbytes, round(of), "bytes")


def _tasks(vouched: Iterable[Vouched]) -> Iterator[list[Vouched]]:
    task: list[Vouched] = []
    nbytes = 0
    for one in vouched:
        if task and (len(task) >= TASK_OBJECTS or nbytes + one.nbytes > TASK_BYTES):
            yield task
            task, nbytes = [], 0
        task.append(one)
        nbytes += one.nbytes
    if task:
        yield task


def _checked(url: str, vouched: Sequence[Vouched]) -> "list[Disagreement]":
    """One task, wherever it runs."""
    return checked(unchecked_objects(url), vouched)
