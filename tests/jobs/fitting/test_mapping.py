"""Tasks side by side in one process."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from jobs.fitting import mapping
from jobs.fitting.mapping import in_order, map_tasks


def test_tasks_run_side_by_side_and_each_on_one_thread_of_linear_algebra() -> None:
    together = threading.Barrier(3)

    def meet(task: int) -> set[int]:
        together.wait(timeout=20)  # breaks unless three tasks are here at once
        return {library["num_threads"] for library in threadpool_info()}

    with threadpool_limits(2):
        found = dict(map_tasks(meet, [0, 1, 2], engine="inline", workers=3))
    assert found == {0: {1}, 1: {1}, 2: {1}}


def test_results_are_bit_identical_with_one_and_with_many_threads() -> None:
    def product(task: int) -> bytes:
        rows = np.random.default_rng(task).standard_normal((300, 200))
        return bytes(np.linalg.solve(rows.T @ rows, rows.T).tobytes())

    with threadpool_limits(2):
        one, many = (dict(map_tasks(product, range(12), engine="inline", workers=n)) for n in (1, 4))
    assert one == many  # bits: each product has one thread and one shape, whoever computes beside it


def test_no_more_results_wait_than_there_are_workers() -> None:
    started: list[int] = []

    def start(task: int) -> int:
        started.append(task)
        return task

    results = map_tasks(start, range(50), engine="inline", workers=2)
    next(results)
    time.sleep(0.2)
    assert len(started) <= 2
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_a_task_arrives_as_itself_and_nothing_further_starts() -> None:
    started: list[int] = []

    def fail(task: int) -> int:
        started.append(task)
        raise ValueError(task)

    with pytest.raises(ValueError, match="0"):
        list(map_tasks(fail, range(50), engine="inline", workers=1))
    assert started == [0]


def test_results_that_are_early_wait_for_those_before_them_and_no_longer() -> None:
    taken: list[int] = []

    def done() -> Iterator[tuple[int, str]]:
        for place in (2, 0, 1, 3):
            taken.append(place)
            yield place, "abcd"[place]

    seen = [(result, len(taken)) for result in in_order(done())]
    assert seen == [("a", 2), ("b", 3), ("c", 3), ("d", 4)]


def test_large_tasks_run_side_by_side_only_as_far_as_memory_goes() -> None:
    assert mapping.tasks_at_once(16, 0) == mapping.MOST_INLINE
    assert mapping.tasks_at_once(2, 10**6) == 2
    assert mapping.tasks_at_once(8, mapping.MOST_BYTES // 3) == 3
    assert mapping.tasks_at_once(8, 10 * mapping.MOST_BYTES) == 1
