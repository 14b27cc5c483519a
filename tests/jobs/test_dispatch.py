"""The driver's state machine against a pool whose workers die and err on command."""

from collections import Counter, deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import pytest

from jobs.engine.dispatch import Committed, Dispatcher, GivenUp, Lost, Quarantined
from jobs.engine.tasks import Broken, Died, Done, Event, Failed, Problem, Task
from store.errors import JobFailed
from store.records import PlannedClip, Receipt, Unit


def units(count: int, clips: int = 8) -> list[Unit]:
    return [
        Unit(
            f"unit-{u:06d}",
            u * clips,
            tuple(PlannedClip(f"{u}-{c}", "a.wav", 0.0, 1.0) for c in range(clips)),
        )
        for u in range(count)
    ]


class ScriptedPool:
    """Runs tasks in order; `poison` clips kill, `faulty` units raise, `unlucky` units die once."""

    def __init__(
        self,
        *,
        poison: AbstractSet[str] = frozenset(),
        faulty: dict[str, Problem] | None = None,
        unlucky: AbstractSet[str] = frozenset(),
    ) -> None:
        self.poison, self.faulty, self.unlucky = poison, faulty or {}, set(unlucky)
        self.waiting: deque[Task] = deque()
        self.log: list[Task] = []
        self.most_in_flight = 0

    def room(self) -> int:
        return 3 - len(self.waiting)

    def workers(self) -> int:
        return 1

    def submit(self, task: Task) -> None:
        self.waiting.append(task)
        self.log.append(task)
        self.most_in_flight = max(self.most_in_flight, len(self.waiting))

    def wait(self, timeout_seconds: float) -> Sequence[Event]:
        return [self.play(self.waiting.popleft())] if self.waiting else []

    def play(self, task: Task) -> Event:
        touched = (task.trial or {clip.clip_id for clip in task.unit.clips}) - task.quarantined
        if touched & self.poison:
            return Died(task, "killed")
        if task.unit.unit_id in self.unlucky:
            self.unlucky.remove(task.unit.unit_id)
            return Died(task, "node lost")
        if task.unit.unit_id in self.faulty:
            return Failed(task, self.faulty[task.unit.unit_id])
        receipt = Receipt(task.unit.unit_id, len(task.unit.clips), len(task.quarantined), 0, True)
        return Done(task, None if task.trial is not None else receipt)

    def close(self, *, grace_seconds: float = 5.0) -> None:
        raise AssertionError("the dispatcher does not own its pool")


def committed(outcomes: Sequence[object]) -> Counter[str]:
    return Counter(o.receipt.unit_id for o in outcomes if isinstance(o, Committed))


def test_every_unit_is_committed_once_and_the_pool_is_never_overfilled() -> None:
    pool = ScriptedPool()
    outcomes = list(Dispatcher(pool, units(10)).run())
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(10))
    assert pool.most_in_flight == 3


def test_a_unit_lost_with_its_node_is_sent_again_alone() -> None:
    pool = ScriptedPool(unlucky={"unit-000001"})
    outcomes = list(Dispatcher(pool, units(3)).run())
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(3))
    assert [type(o) for o in outcomes].count(Lost) == 1
    assert [t.alone for t in pool.log if t.unit.unit_id == "unit-000001"] == [False, True]


def test_a_clip_that_kills_twice_is_quarantined_and_its_unit_committed() -> None:
    pool = ScriptedPool(poison={"1-5"})
    outcomes = list(Dispatcher(pool, units(3)).run())
    assert [o.clip_ids for o in outcomes if isinstance(o, Quarantined)] == [{"1-5"}]
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(3))
    assert [t.alone for t in pool.log if t.trial is not None] == [True] * sum(
        t.trial is not None for t in pool.log
    )


def test_a_unit_whose_worker_raises_is_tried_three_times_and_given_up_while_others_go_on() -> None:
    pool = ScriptedPool(faulty={"unit-000000": Problem("RuntimeError", "odd")})
    outcomes = list(Dispatcher(pool, units(3)).run())
    assert [o.unit.unit_id for o in outcomes if isinstance(o, GivenUp)] == ["unit-000000"]
    assert [t.unit.unit_id for t in pool.log].count("unit-000000") == 3
    assert committed(outcomes) == Counter(["unit-000001", "unit-000002"])


def test_a_fatal_problem_stops_the_job_with_its_message() -> None:
    pool = ScriptedPool(faulty={"unit-000001": Problem("OSError", "disk is full", fatal=True)})
    with pytest.raises(JobFailed, match="disk is full"):
        list(Dispatcher(pool, units(3)).run())


def test_no_worker_at_all_stops_the_job() -> None:
    class Dead(ScriptedPool):
        def wait(self, timeout_seconds: float) -> Sequence[Event]:
            return [Broken(Problem("ModelError", "no such checkpoint"))]

    with pytest.raises(JobFailed, match="no such checkpoint"):
        list(Dispatcher(Dead(), units(1)).run())


def test_units_that_another_driver_committed_are_skipped() -> None:
    pool = ScriptedPool()
    outcomes = list(Dispatcher(pool, units(3), is_committed=lambda unit: unit.unit_id == "unit-000001").run())
    assert committed(outcomes) == Counter(["unit-000000", "unit-000002"])


def test_a_suspect_of_earlier_processes_runs_alone() -> None:
    pool = ScriptedPool()
    list(Dispatcher(pool, units(2), suspects=frozenset({"unit-000001"})).run())
    assert [t.alone for t in pool.log] == [False, True]
