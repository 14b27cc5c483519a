"""Poisonous clips are found by halving."""

import math

from hypothesis import given
from hypothesis import strategies as st

from jobs.engine.bisection import find_poison


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


def test_one_bad_clip_among_64_costs_at_most_twelve_trials() -> None:
    clip_ids = [f"clip{i}" for i in range(64)]
    assert max(play(clip_ids, {clip})[1] for clip in clip_ids) <= 2 * math.log2(64)


def test_clips_that_kill_only_together_are_all_returned() -> None:
    found, _ = play(["a", "b", "c", "d"], set())
    assert found == {"a", "b", "c", "d"}
