"""Poisonous clips are found by halving."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.engine.bisection import LEAST_DEATHS, MOST_DEATHS, deaths_to_convict, find_poison


def play(clip_ids: list[str], poison: set[str]) -> tuple[frozenset[str], int]:
    trial = find_poison(clip_ids)
    subset, trials = next(trial), 1
    while True:
        try:
            subset = trial.send(not subset & poison)
            trials += 1
        except StopIteration as end:
            return end.value, trials


@given(
    st.integers(1, 64).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1)))
)
def test_every_poisonous_clip_and_no_other_is_found(case: tuple[int, set[int]]) -> None:
    count, bad = case
    clip_ids = [f"clip{i}" for i in range(count)]
    found, _ = play(clip_ids, {f"clip{i}" for i in bad})
    assert found == {f"clip{i}" for i in bad}


def test_one_bad_clip_among_64_costs_at_most_thirteen_trials() -> None:
    clip_ids = [f"clip{i}" for i in range(64)]
    assert max(play(clip_ids, {clip})[1] for clip in clip_ids) <= 2 * math.log2(64) + LEAST_DEATHS - 1


def test_no_clip_is_blamed_where_every_part_survives() -> None:
    found, _ = play(["a", "b", "c", "d"], set())
    assert found == frozenset()


def test_a_clip_that_died_alone_and_then_survived_is_not_blamed() -> None:
    trial = find_poison(["a", "b"])
    assert next(trial) == {"a"}
    for _ in range(LEAST_DEATHS - 1):
        assert trial.send(False) == {"a"}, "it may be a coincidence: the clip is tried again"
    assert trial.send(True) == {"b"}
    with pytest.raises(StopIteration) as end:
        trial.send(True)
    assert end.value.value == frozenset()


def test_where_workers_die_often_it_takes_more_deaths_to_blame_a_clip() -> None:
    assert deaths_to_convict(0.0) == LEAST_DEATHS
    assert [deaths_to_convict(rate) for rate in (0.001, 0.03, 0.1, 0.3)] == [2, 3, 4, 8]
    assert deaths_to_convict(0.9) == deaths_to_convict(1.0) == MOST_DEATHS
