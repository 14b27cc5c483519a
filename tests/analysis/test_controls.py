"""Shuffled labels."""

from collections import Counter

import numpy as np
import pytest

from analysis.probes.controls import derangement, shuffled_by_group

GROUPS = np.repeat([f"artist {number}" for number in range(30)], 4)
LABELS = np.repeat(np.arange(30) % 3, 4)


def test_clips_of_one_group_keep_one_label() -> None:
    shuffled = shuffled_by_group(LABELS, GROUPS, random_seed=0)
    assert all(len(set(shuffled[group == GROUPS])) == 1 for group in set(GROUPS))


def test_labels_are_as_frequent_as_before_and_elsewhere() -> None:
    shuffled = shuffled_by_group(LABELS, GROUPS, random_seed=0)
    assert np.array_equal(np.bincount(shuffled), np.bincount(LABELS))
    assert 0.1 < np.mean(shuffled == LABELS) < 0.6


def test_groups_of_different_sizes_take_the_labels_of_their_donor() -> None:
    shuffled = shuffled_by_group(np.array([1.0, 2.0, 3.0]), ["a", "a", "b"], random_seed=1)
    assert shuffled.tolist() == [3.0, 3.0, 1.0]


def test_another_seed_is_another_shuffle() -> None:
    one, other = (shuffled_by_group(LABELS, GROUPS, random_seed=seed) for seed in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("count", [2, 3, 4, 30])
def test_no_group_ever_keeps_its_own_labels(count: int) -> None:
    groups = [f"artist {number}" for number in range(count)]
    for seed in range(40):
        shuffled = shuffled_by_group(np.arange(count), groups, random_seed=seed)
        assert sorted(shuffled) == list(range(count))
        assert (shuffled != np.arange(count)).all(), seed


def test_a_single_group_keeps_its_labels() -> None:
    assert shuffled_by_group(np.array([3, 4]), ["a", "a"], random_seed=0).tolist() == [3, 4]


def test_every_derangement_is_as_likely_as_another() -> None:
    random = np.random.default_rng(0)
    counts = Counter(tuple(derangement(4, random)) for _ in range(9000))
    assert len(counts) == 9
    assert all(850 < count < 1150 for count in counts.values())
