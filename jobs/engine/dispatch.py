"""Drive units through a pool until each is committed, quarantined or given up: the state machine of a job.

Schedulers run a task at least once and lose workers without notice, so nothing here relies on a task
having run exactly once: units commit themselves, the first writer wins, and a lost unit is sent again.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median
from typing import Generic, TypeAlias

from jobs.engine.bisection import Trial, deaths_to_convict, find_poison
from jobs.engine.tasks import Broken, Died, Done, Event, Failed, Found, Pool, Problem, Task, Work, WorkUnit
from store.errors import JobFailed
from store.records import Receipt

ERRORS_PER_UNIT = 3
"""A unit that raised this often is given up; the others go on."""
FRUITLESS_SEARCHES = 3
"""At least so often a unit is searched in vain for the item to blame, and run again, until it is given up."""
LOSSES_PER_UNIT = 20
"""A unit that was on so many nodes that went away is given up: it may be what takes them down."""
SLOW_FACTOR = 3.0
"""A unit that takes so many times the median is sent to a second worker, where one has nothing to do."""
MEDIAN_OF = 101
"""Newest durations that the median is of."""


@dataclass(frozen=True, slots=True)
class Committed(Generic[Found]):
    """A unit is on disk."""

    receipt: Receipt[Found]


@dataclass(frozen=True, slots=True)
class Quarantined(Generic[Work]):
    """These items of a unit kill whatever worker touches them."""

    unit: Work
    item_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lost(Generic[Work]):
    """A worker died and its unit goes back into the queue."""

    unit: Work
    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp(Generic[Work]):
    """A unit raised in every attempt."""

    unit: Work
    problem: Problem


@dataclass(frozen=True, slots=True)
class Retried(Generic[Work]):
    """A unit raised and goes back into the queue."""

    unit: Work
    problem: Problem


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing happened for a moment: a chance to report."""


@dataclass(slots=True)
class _Running(Generic[Work]):
    """A unit in flight."""

    task: Task[Work]
    since: float
    copies: int = 1
    """Workers that have it."""
    is_settled: bool = False
    """One of them is done: what the others say is of no interest."""


Outcome: TypeAlias = Committed[Found] | Quarantined[Work] | Lost[Work] | Retried[Work] | GivenUp[Work] | Idle


class Dispatcher(Generic[Work, Found]):
    """Feeds a pool from a queue of units and decides what a death or an error means."""

    def __init__(
        self,
        pool: Pool[Work, Found],
        units: Iterable[Work],
        *,
        is_committed: Callable[[Work], bool] = lambda _: False,
        suspects: frozenset[str] = frozenset(),
        patience_seconds: float | None = None,
    ) -> None:
        """Prepare to run `units`, of which no more is taken at once than the pool has room for.

        `is_committed` lets another driver's work be skipped. `suspects` are ids of units that earlier
        processes began and never ended: they run alone. With `patience_seconds`, workers without work get
        copies of units that take longer than that, and than others did: the end does not wait for a slow
        node. Then units must bear to be computed by two workers at once.
        """
        self._pool = pool
        self._fresh = (Task(unit, alone=unit.unit_id in suspects) for unit in units)
        self._queue: deque[Task[Work]] = deque()
        """What comes next: units that are sent again, before any fresh one."""
        self._retries: deque[Task[Work]] = deque()
        """Units that raised: they come after all others."""
        self._is_committed = is_committed
        self._in_flight = 0
        self._running: dict[str, _Running[Work]] = {}
        self._patience = patience_seconds
        self._seconds: deque[float] = deque(maxlen=MEDIAN_OF)
        self._first_tries: Counter[bool] = Counter()
        """How many units survived their first try, and how many died of it."""
        self._suspects: deque[Task[Work]] = deque()
        """Units that died alone; searched last, when it is known how often workers die anyway."""
        self._losses: Counter[str] = Counter()
        self._fruitless: Counter[str] = Counter()
        self._errors: dict[str, int] = {}
        self._trials: dict[str, Trial] = {}

    def run(self) -> Iterator[Outcome[Found, Work]]:
        """Yield what became of units until none is left.

        Raises:
            JobFailed: no worker can be had, or a problem that every unit would meet.
        """
        while self._has_next() or self._suspects or self._in_flight:
            self._feed()
            events = self._pool.wait(timeout_seconds=0.5)
            for event in events:
                yield from self._handle(event)
            if not events:
                yield Idle()

    def _feed(self) -> None:
        if self._suspects and not self._has_next():
            self._search(self._suspects.popleft())
        while self._has_next() and self._pool.room() > 0:
            task = self._queue.popleft()
            if task.trial is None and self._is_committed(task.unit):
                continue
            self._pool.submit(task)
            self._in_flight += 1
            self._running[task.unit.unit_id] = _Running(task, time.monotonic())
        if self._patience is not None and not self._has_next() and not self._suspects:
            self._overtake(self._patience)

    def _overtake(self, patience: float) -> None:
        """Give copies of the slowest units to workers that have nothing else to do."""
        limit = max(patience, SLOW_FACTOR * median(self._seconds or [0.0]))
        for one in list(self._running.values()):  # in the order in which they were sent
            slow = one.copies == 1 and not one.is_settled and one.task.trial is None and not one.task.alone
            if slow and time.monotonic() - one.since > limit:
                if self._pool.room() <= 0:
                    return
                self._pool.submit(one.task)
                self._in_flight += 1
                one.copies += 1

    def _has_next(self) -> bool:
        """Whether a task waits at the head of the queue; the next fresh unit is made a task only here."""
        if not self._queue:
            self._queue.extend(islice(self._fresh, 1))
        if not self._queue and self._retries:
            self._queue.append(self._retries.popleft())
        return bool(self._queue)

    def _handle(self, event: Event[Work, Found]) -> Iterator[Outcome[Found, Work]]:
        if isinstance(event, Broken):
            raise JobFailed(f"No worker can be started: {event.problem.message}")
        if self._is_overtaken(event):
            return
        if isinstance(event, Done):
            yield from self._done(event)
        elif isinstance(event, Died):
            yield from self._died(event)
        else:
            yield from self._failed(event)

    def _is_overtaken(self, event: Done[Work, Found] | Died[Work] | Failed[Work]) -> bool:
        """Count the event; whether another worker's copy of the unit decides what becomes of it."""
        running = self._running[event.task.unit.unit_id]
        running.copies -= 1
        if not running.copies:
            del self._running[event.task.unit.unit_id]
        if running.is_settled:
            return True
        self._in_flight -= 1
        if isinstance(event, Done):
            self._seconds.append(time.monotonic() - running.since)
            running.is_settled, self._in_flight = True, self._in_flight - running.copies
            return False
        return running.copies > 0

    def _done(self, event: Done[Work, Found]) -> Iterator[Outcome[Found, Work]]:
        if event.task.trial is not None:
            yield from self._advance(event.task, survived=True)
        elif event.receipt is not None:
            self._first_tries[True] += not event.task.alone
            yield Committed(event.receipt)

    def _died(self, event: Died[Work]) -> Iterator[Outcome[Found, Work]]:
        """First death: again, alone. A death alone makes its items suspects: look for the one to blame."""
        task = event.task
        if event.by_cluster:
            yield Lost(task.unit, event.reason)
            yield from self._resend(task, event.reason)
        elif task.trial is not None:
            yield from self._advance(task, survived=False)
        else:
            yield Lost(task.unit, event.reason)
            yield from self._suspect(task, event.reason)

    def _resend(self, task: Task[Work], reason: str) -> Iterator[Outcome[Found, Work]]:
        unit = task.unit
        self._losses[unit.unit_id] += 1
        losses = self._losses[unit.unit_id]
        if losses < LOSSES_PER_UNIT:
            self._queue.appendleft(task)
        else:
            yield GivenUp(
                unit, Problem("WorkerLost", f"{losses} workers in a row went away with it ({reason})")
            )

    def _suspect(self, task: Task[Work], reason: str) -> Iterator[Outcome[Found, Work]]:
        if not task.alone:
            self._first_tries[False] += 1
            self._queue.appendleft(replace(task, alone=True))
        elif self._fruitless[task.unit.unit_id] >= max(FRUITLESS_SEARCHES, self._deaths_needed()):
            yield GivenUp(task.unit, _kills_as_a_whole(task.unit, reason))
        else:
            self._suspects.append(task)

    def _search(self, task: Task[Work]) -> None:
        """Begin to look for the items of a unit that kill their worker."""
        items = [one for one in task.unit.item_ids if one not in task.quarantined]
        if not items:
            self._fruitless[task.unit.unit_id] += 1
            self._queue.appendleft(task)
            return
        trial = find_poison(items, self._deaths_needed())
        self._trials[task.unit.unit_id] = trial
        self._queue.appendleft(replace(task, trial=next(trial)))

    def _deaths_needed(self) -> int:
        """How many deaths in a row are no coincidence where units die of their first try as often as here."""
        survived, died = self._first_tries[True], max(0, self._first_tries[False] - 1)
        return deaths_to_convict((died + 0.5) / (died + survived + 1))

    def _advance(self, task: Task[Work], *, survived: bool) -> Iterator[Outcome[Found, Work]]:
        try:
            subset = self._trials[task.unit.unit_id].send(survived)
        except StopIteration as end:
            yield from self._judge(replace(task, trial=None), end.value)
        else:
            self._queue.appendleft(replace(task, trial=subset))

    def _judge(self, task: Task[Work], poison: frozenset[str]) -> Iterator[Outcome[Found, Work]]:
        """Run the unit again: without the items that were found, or whole where the deaths were bad luck."""
        if poison:
            yield Quarantined(task.unit, poison)
        else:
            self._fruitless[task.unit.unit_id] += 1
        self._queue.appendleft(replace(task, quarantined=task.quarantined | poison))

    def _failed(self, event: Failed[Work]) -> Iterator[Outcome[Found, Work]]:
        task, problem = event.task, event.problem
        if problem.fatal:
            raise JobFailed(problem.message)
        if task.trial is not None:  # an exception is not a death: the worker survived
            yield from self._advance(task, survived=True)
            return
        errors = self._errors.get(task.unit.unit_id, 0) + 1
        self._errors[task.unit.unit_id] = errors
        if errors < ERRORS_PER_UNIT:
            self._retries.append(task)
            yield Retried(task.unit, problem)
        else:
            yield GivenUp(task.unit, problem)


def _kills_as_a_whole(unit: WorkUnit, reason: str) -> Problem:
    return Problem(
        "WorkerDied",
        f"its {len(unit.item_ids)} items kill their worker together, though none does alone ({reason}); they "
        "may want more memory than there is: run again with smaller batches (--batch-clips, in a sweep "
        "--batch) or fewer --workers",
    )
