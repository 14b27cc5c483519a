"""The driver's state machine against a pool whose workers die and err on command."""

import random
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

import pytest

from jobs.engine.dispatch import (
    FRUITLESS_SEARCHES,
    LOSSES_PER_UNIT,
    Committed,
    Dispatcher,
    GivenUp,
    Lost,
    Quarantined,
)
from jobs.engine.tasks import Batch, Broken, Died, Done, Event, Failed, Problem, Task, batches
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
    """Runs tasks in order.

    `poison` clips kill, `faulty` units raise, `unlucky` units die once. Any task dies with the
    probability `kills` of what looks like a crash, and with the probability `lost_nodes` with its node.
    """

    def __init__(
        self,
        *,
        poison: AbstractSet[str] = frozenset(),
        faulty: dict[str, Problem] | None = None,
        unlucky: AbstractSet[str] = frozenset(),
        kills: float = 0.0,
        lost_nodes: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.kills, self.lost_nodes, self.random = kills, lost_nodes, random.Random(seed)
        self.poison, self.faulty, self.unlucky = poison, faulty or {}, set(unlucky)
        self.waiting: deque[Task[Unit]] = deque()
        self.log: list[Task[Unit]] = []
        self.most_in_flight = 0

    def room(self) -> int:
        return 3 - len(self.waiting)

    def workers(self) -> int:
        return 1

    def submit(self, task: Task[Unit]) -> None:
        self.waiting.append(task)
        self.log.append(task)
        self.most_in_flight = max(self.most_in_flight, len(self.waiting))

    def wait(self, timeout_seconds: float) -> Sequence[Event[Unit, None]]:
        return [self.play(self.waiting.popleft())] if self.waiting else []

    def play(self, task: Task[Unit]) -> Event[Unit, None]:
        touched = (task.trial or {clip.clip_id for clip in task.unit.clips}) - task.quarantined
        if touched & self.poison:
            return Died(task, "killed")
        if self.random.random() < self.kills:
            return Died(task, "killed by the operating system")
        if self.random.random() < self.lost_nodes:
            return Died(task, "its node was preempted", by_cluster=True)
        if task.unit.unit_id in self.unlucky:
            self.unlucky.remove(task.unit.unit_id)
            return Died(task, "node lost")
        if task.unit.unit_id in self.faulty:
            return Failed(task, self.faulty[task.unit.unit_id])
        receipt: Receipt[None] = Receipt(
            task.unit.unit_id, len(task.unit.clips), len(task.quarantined), 0, True
        )
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
    assert [o.item_ids for o in outcomes if isinstance(o, Quarantined)] == [{"1-5"}]
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(3))
    assert [t.alone for t in pool.log if t.trial is not None] == [True] * sum(
        t.trial is not None for t in pool.log
    )


def test_two_unlucky_deaths_of_a_unit_blame_none_of_its_clips() -> None:
    class Unlucky(ScriptedPool):
        deaths = 0

        def play(self, task: Task[Unit]) -> Event[Unit, None]:
            if task.unit.unit_id == "unit-000001" and task.trial is None and self.deaths < 2:
                self.deaths += 1
                return Died(task, "killed by the operating system")
            return super().play(task)

    pool = Unlucky()
    outcomes = list(Dispatcher(pool, units(3)).run())
    assert not [o for o in outcomes if isinstance(o, Quarantined | GivenUp)]
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(3))


def test_where_most_tasks_die_two_lone_deaths_convict_no_clip() -> None:
    class BadDay(ScriptedPool):
        """Every unit dies once, the first twice; one of its clips dies in two trials alone, and no more."""

        tries, lone = Counter[str](), 0

        def play(self, task: Task[Unit]) -> Event[Unit, None]:
            name, died = task.unit.unit_id, Died(task, "killed by the operating system")
            if task.trial is None:
                self.tries[name] += 1
                return died if self.tries[name] <= 1 + (name == "unit-000000") else super().play(task)
            self.lone += task.trial == {"0-3"}
            return died if "0-3" in task.trial and self.lone <= 2 else super().play(task)

    pool = BadDay()
    outcomes = list(Dispatcher(pool, units(10)).run())
    assert pool.lone == 3, "the clip was tried once more than twice"
    assert not [o for o in outcomes if isinstance(o, Quarantined | GivenUp)]
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(10))


@pytest.mark.parametrize("kills", [0.0, 0.03, 0.1])
@pytest.mark.parametrize("lost_nodes", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("seed", range(6))
def test_no_healthy_clip_fails_in_54_runs_with_kills(kills: float, lost_nodes: float, seed: int) -> None:
    pool = ScriptedPool(kills=kills, lost_nodes=lost_nodes, poison={"3-5"}, seed=seed)
    outcomes = list(Dispatcher(pool, units(20, clips=64)).run())
    blamed = {clip for o in outcomes if isinstance(o, Quarantined) for clip in o.item_ids}
    given_up = {o.unit.unit_id for o in outcomes if isinstance(o, GivenUp)}
    assert blamed == {"3-5"}
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(20) if unit.unit_id not in given_up)


def test_a_death_that_the_cluster_caused_is_no_reason_to_run_a_unit_alone() -> None:
    class Preempted(ScriptedPool):
        def play(self, task: Task[Unit]) -> Event[Unit, None]:
            if self.log.count(task) < LOSSES_PER_UNIT // 2:
                self.log.append(task)
                return Died(task, "its node was preempted", by_cluster=True)
            return super().play(task)

    pool = Preempted()
    outcomes = list(Dispatcher(pool, units(2)).run())
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(2))
    assert not any(task.alone or task.trial is not None for task in pool.log)
    assert {o.reason for o in outcomes if isinstance(o, Lost)} == {"its node was preempted"}


def test_a_trial_that_the_cluster_ended_is_repeated_and_proves_nothing() -> None:
    class Preempted(ScriptedPool):
        def play(self, task: Task[Unit]) -> Event[Unit, None]:
            if task.trial is not None and self.log.count(task) == 1:
                return Died(task, "its node was lost", by_cluster=True)
            return super().play(task)

    outcomes = list(Dispatcher(Preempted(poison={"0-2"}), units(1)).run())
    assert [o.item_ids for o in outcomes if isinstance(o, Quarantined)] == [{"0-2"}]


def test_a_unit_that_takes_every_node_down_is_given_up_and_none_of_its_clips_is_blamed() -> None:
    outcomes = list(Dispatcher(ScriptedPool(lost_nodes=1.0), units(1)).run())
    assert [o.problem.error for o in outcomes if isinstance(o, GivenUp)] == ["WorkerLost"]
    assert sum(isinstance(o, Lost) for o in outcomes) == LOSSES_PER_UNIT


def test_clips_that_kill_only_together_are_given_up_and_not_called_poisonous() -> None:
    class TooBig(ScriptedPool):
        def play(self, task: Task[Unit]) -> Event[Unit, None]:
            whole = task.trial is None and task.unit.unit_id == "unit-000000"
            return Died(task, "out of memory") if whole else super().play(task)

    pool = TooBig()
    outcomes = list(Dispatcher(pool, units(2)).run())
    (given_up,) = [o for o in outcomes if isinstance(o, GivenUp)]
    assert "none does alone" in given_up.problem.message
    assert "out of memory" in given_up.problem.message
    assert not [o for o in outcomes if isinstance(o, Quarantined)]
    assert committed(outcomes) == Counter(["unit-000001"])
    assert sum(t.trial is None and t.unit.unit_id == "unit-000000" for t in pool.log) > FRUITLESS_SEARCHES


def test_two_poisonous_clips_are_found_though_the_second_hides_behind_the_first() -> None:
    outcomes = list(Dispatcher(ScriptedPool(poison={"0-1", "0-6"}), units(1)).run())
    blamed = {clip for o in outcomes if isinstance(o, Quarantined) for clip in o.item_ids}
    assert blamed == {"0-1", "0-6"}
    assert committed(outcomes) == Counter(["unit-000000"])


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
        def wait(self, timeout_seconds: float) -> Sequence[Event[Unit, None]]:
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


def test_units_are_taken_as_there_is_room_and_not_before() -> None:
    pool, taken = ScriptedPool(), 0

    def counted() -> Iterator[Unit]:
        nonlocal taken
        for unit in units(1000, clips=1):
            taken += 1
            yield unit

    outcomes = Dispatcher(pool, counted()).run()
    for done in range(1, 50):
        next(outcome for outcome in outcomes if isinstance(outcome, Committed))
        assert taken <= done + pool.most_in_flight + 1


def test_units_that_raise_come_after_all_others() -> None:
    pool = ScriptedPool(faulty={"unit-000000": Problem("E", "always")})
    outcomes = list(Dispatcher(pool, iter(units(5))).run())
    assert [task.unit.unit_id for task in pool.log[-2:]] == ["unit-000000"] * 2
    assert committed(outcomes).keys() == {f"unit-{one:06d}" for one in range(1, 5)}


class BatchPool(ScriptedPool):
    """Plays tasks of a batch of numbers as those of clips: 0 is poison."""

    def play(self, task: Task[Any]) -> Event[Any, Any]:
        items = task.unit.items
        touched = (task.trial if task.trial is not None else items.keys()) - task.quarantined
        if any(items[one] == 0 for one in touched):
            return Died(task, "killed")
        total = sum(items[one] for one in touched)
        receipt = Receipt(task.unit.unit_id, len(items), len(task.quarantined), 0, True, found=total)
        return Done(task, None if task.trial is not None else receipt)


def test_a_batch_of_anything_with_an_id_is_driven_as_clips_are() -> None:
    numbers = {f"number-{one}": one for one in range(20)}
    cut = list(batches(numbers, 8, done={"number-3", *(f"number-{one}" for one in range(8, 16))}))
    assert [(one.unit_id, len(one.items)) for one in cut] == [("unit-000000", 7), ("unit-000002", 4)]
    pool: Any = BatchPool()
    outcomes = list(Dispatcher[Batch[int], int](pool, iter(cut)).run())
    assert [o.item_ids for o in outcomes if isinstance(o, Quarantined)] == [{"number-0"}]
    found = {o.receipt.unit_id: o.receipt.found for o in outcomes if isinstance(o, Committed)}
    assert found == {"unit-000000": 1 + 2 + 4 + 5 + 6 + 7, "unit-000002": 16 + 17 + 18 + 19}


class SlowPool(ScriptedPool):
    """Some workers with room for three units, of which some never end what they got first."""

    def __init__(self, stuck: int = 1) -> None:
        super().__init__()
        self.most_stuck = stuck
        self.stuck: list[Task[Unit]] = []
        self.ends_with: Event[Unit, None] | None = None

    def room(self) -> int:
        return 3 - len(self.waiting) - len(self.stuck)

    def wait(self, timeout_seconds: float) -> Sequence[Event[Unit, None]]:
        if len(self.stuck) < self.most_stuck:
            self.stuck.append(self.waiting.popleft())
        if self.ends_with is not None and not self.waiting:
            said, self.ends_with = self.ends_with, None
            return [said]
        return super().wait(timeout_seconds)


@pytest.mark.parametrize("stuck", [1, 2])
def test_the_end_does_not_wait_for_slow_workers(stuck: int) -> None:
    pool = SlowPool(stuck)
    outcomes = list(islice(Dispatcher(pool, units(5), patience_seconds=0.0).run(), 50))
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(5))
    sent = Counter(task.unit.unit_id for task in pool.log)
    assert sent == committed(outcomes) + Counter(task.unit.unit_id for task in pool.stuck)
    assert len(outcomes) < 50, "it ends"


@pytest.mark.parametrize("how", ["dies", "raises", "ends first"])
def test_what_becomes_of_a_slow_worker_or_its_rival_costs_nothing(how: str) -> None:
    pool = SlowPool()
    outcomes: list[object] = []
    for outcome in Dispatcher(pool, units(3), patience_seconds=0.0).run():
        outcomes.append(outcome)
        if pool.ends_with is None and len(committed(outcomes)) == 2 and len(pool.log) == 3:
            (task,) = pool.stuck
            said: dict[str, Event[Unit, None]] = {
                "dies": Died(task, "its node was lost", by_cluster=True),
                "raises": Failed(task, Problem("OSError", "no")),
                "ends first": Done(task, Receipt(task.unit.unit_id, 8, 0, 0, True)),
            }
            pool.ends_with = said[how]
    assert committed(outcomes) == Counter(unit.unit_id for unit in units(3))
    assert not [one for one in outcomes if isinstance(one, GivenUp | Quarantined)]


def test_without_patience_a_slow_worker_is_waited_for() -> None:
    pool = SlowPool()
    outcomes = []
    for outcome in Dispatcher(pool, units(3)).run():
        outcomes.append(outcome)
        if len(outcomes) > 20:
            break
    assert len(committed(outcomes)) == 2
