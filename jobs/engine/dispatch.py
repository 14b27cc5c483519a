"""Drive units through a pool until each is committed, quarantined or given up: the state machine of a job.

Schedulers run a task at least once and lose workers without notice, so nothing here relies on a task
having run exactly once: units commit themselves, the first writer wins, and a lost unit is sent again.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from jobs.engine.bisection import Trial, deaths_to_convict, find_poison
from jobs.engine.tasks import Broken, Died, Done, Event, Failed, Pool, Problem, Task
from store.errors import JobFailed
from store.records import Receipt, Unit

ERRORS_PER_UNIT = 3
"""A unit that raised this often is given up; the others go on."""
FRUITLESS_SEARCHES = 3
"""At least so often a unit is searched in vain for the clip to blame, and run again, until it is given up."""
LOSSES_PER_UNIT = 20
"""A unit that was on so many nodes that went away is given up: it may be what takes them down."""


@dataclass(frozen=True, slots=True)
class Committed:
    """A unit is on disk."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Quarantined:
    """These clips of a unit kill whatever worker touches them."""

    unit: Unit
    clip_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker died and its unit goes back into the queue."""

    unit: Unit
    reason: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A unit raised in every attempt."""

    unit: Unit
    problem: Problem


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing happened for a moment: a chance to report."""


Outcome = Committed | Quarantined | Lost | GivenUp | Idle


class Dispatcher:
    """Feeds a pool from a queue of units and decides what a death or an error means."""

    def __init__(
        self,
        pool: Pool,
        units: Iterable[Unit],
        *,
        is_committed: Callable[[Unit], bool] = lambda _: False,
        suspects: frozenset[str] = frozenset(),
    ) -> None:
        """Prepare to run `units`; `is_committed` lets another driver's work be skipped.

        `suspects` are ids of units that earlier processes began and never ended: they run alone.
        """
        self._pool = pool
        self._to_come = (Task(unit, alone=unit.unit_id in suspects) for unit in units)
        self._queue: deque[Task] = deque()
        """Tasks that go before those to come, and the next of these."""
        self._again: deque[Task] = deque()
        """Tasks that go after them."""
        self._is_committed = is_committed
        self._in_flight = 0
        self._first_tries: Counter[bool] = Counter()
        """How many units survived their first try, and how many died of it."""
        self._suspects: deque[Task] = deque()
        """Units that died alone; searched last, when it is known how often workers die anyway."""
        self._losses: Counter[str] = Counter()
        self._fruitless: Counter[str] = Counter()
        self._errors: dict[str, int] = {}
        self._trials: dict[str, Trial] = {}

    def run(self) -> Iterator[Outcome]:
        """Yield what became of units until none is left.

        Raises:
            JobFailed: no worker can be had, or a problem that every unit would meet.
        """
        while self._queue_is_filled() or self._suspects or self._in_flight:
            self._feed()
            events = self._pool.wait(timeout_seconds=0.5)
            for event in events:
                yield from self._handle(event)
            if not events:
                yield Idle()

    def _queue_is_filled(self) -> bool:
        """Whether a task waits; the units of a plan are made only as they are needed."""
        if not self._queue:
            self._queue.extend(islice(self._to_come, 1))
        if not self._queue and self._again:
            self._queue.append(self._again.popleft())
        return bool(self._queue)

    def _feed(self) -> None:
        if self._suspects and not self._queue_is_filled():
            self._search(self._suspects.popleft())
        while self._queue_is_filled() and self._pool.room() > 0:
            task = self._queue.popleft()
            if task.trial is None and self._is_committed(task.unit):
                continue
            self._pool.submit(task)
            self._in_flight += 1

    def _handle(self, event: Event) -> Iterator[Outcome]:
        if isinstance(event, Broken):
            raise JobFailed(f"No worker can be started: {event.problem.message}")
        self._in_flight -= 1
        if isinstance(event, Done):
            yield from self._done(event)
        elif isinstance(event, Died):
            yield from self._died(event)
        else:
            yield from self._failed(event)

    def _done(self, event: Done) -> Iterator[Outcome]:
        if event.task.trial is not None:
            yield from self._advance(event.task, survived=True)
        elif event.receipt is not None:
            self._first_tries[True] += not event.task.alone
            yield Committed(event.receipt)

    def _died(self, event: Died) -> Iterator[Outcome]:
        """First death: again, alone. A death alone makes its clips suspects: look for the one to blame."""
        task = event.task
        if event.by_cluster:
            yield Lost(task.unit, event.reason)
            yield from self._resend(task, event.reason)
        elif task.trial is not None:
            yield from self._advance(task, survived=False)
        else:
            yield Lost(task.unit, event.reason)
            yield from self._suspect(task, event.reason)

    def _resend(self, task: Task, reason: str) -> Iterator[Outcome]:
        unit = task.unit
        self._losses[unit.unit_id] += 1
        losses = self._losses[unit.unit_id]
        if losses < LOSSES_PER_UNIT:
            self._queue.appendleft(task)
        else:
            yield GivenUp(
                unit, Problem("WorkerLost", f"{losses} workers in a row went away with it ({reason})")
            )

    def _suspect(self, task: Task, reason: str) -> Iterator[Outcome]:
        if not task.alone:
            self._first_tries[False] += 1
            self._queue.appendleft(replace(task, alone=True))
        elif self._fruitless[task.unit.unit_id] >= max(FRUITLESS_SEARCHES, self._deaths_needed()):
            yield GivenUp(task.unit, _kills_as_a_whole(task.unit, reason))
        else:
            self._suspects.append(task)

    def _search(self, task: Task) -> None:
        """Begin to look for the clips of a unit that kill their worker."""
        clips = [clip.clip_id for clip in task.unit.clips if clip.clip_id not in task.quarantined]
        if not clips:
            self._fruitless[task.unit.unit_id] += 1
            self._queue.appendleft(task)
            return
        trial = find_poison(clips, self._deaths_needed())
        self._trials[task.unit.unit_id] = trial
        self._queue.appendleft(replace(task, trial=next(trial)))

    def _deaths_needed(self) -> int:
        """How many deaths in a row are no coincidence where units die of their first try as often as here."""
        survived, died = self._first_tries[True], max(0, self._first_tries[False] - 1)
        return deaths_to_convict((died + 0.5) / (died + survived + 1))

    def _advance(self, task: Task, *, survived: bool) -> Iterator[Outcome]:
        try:
            subset = self._trials[task.unit.unit_id].send(survived)
        except StopIteration as end:
            yield from self._judge(replace(task, trial=None), end.value)
        else:
            self._queue.appendleft(replace(task, trial=subset))

    def _judge(self, task: Task, poison: frozenset[str]) -> Iterator[Outcome]:
        """Run the unit again: without the clips that were found, or whole where the deaths were bad luck."""
        if poison:
            yield Quarantined(task.unit, poison)
        else:
            self._fruitless[task.unit.unit_id] += 1
        self._queue.appendleft(replace(task, quarantined=task.quarantined | poison))

    def _failed(self, event: Failed) -> Iterator[Outcome]:
        task, problem = event.task, event.problem
        if problem.fatal:
            raise JobFailed(problem.message)
        if task.trial is not None:  # an exception is not a death: the worker survived
            yield from self._advance(task, survived=True)
            return
        errors = self._errors.get(task.unit.unit_id, 0) + 1
        self._errors[task.unit.unit_id] = errors
        if errors < ERRORS_PER_UNIT:
            self._again.append(task)
        else:
            yield GivenUp(task.unit, problem)


def _kills_as_a_whole(unit: Unit, reason: str) -> Problem:
    return Problem(
        "WorkerDied",
        f"its {len(unit.clips)} clips kill their worker together, though none does alone ({reason}); they "
        "may want more memory than there is: run again with a smaller --batch-clips or fewer --workers",
    )
