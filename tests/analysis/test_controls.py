"""Shuffled labels."""

import numpy as np

from analysis.controls import shuffled_by_group

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
    assert shuffled.tolist() in ([1.0, 2.0, 3.0], [3.0, 3.0, 1.0])


def test_another_seed_is_another_shuffle() -> None:
    one, other = (shuffled_by_group(LABELS, GROUPS, random_seed=seed) for seed in (0, 1))
    assert not np.array_equal(one, other)
