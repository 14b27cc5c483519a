"""Folds that never cut through a group."""

import numpy as np
import pytest

from analysis.splits import fold_partition, group_folds, official_partition
from store.errors import InvalidInput

GROUPS = np.array([f"artist {number % 23}" for number in range(200)])


def test_no_group_is_cut() -> None:
    folds = group_folds(GROUPS, 5)
    assert all(len(set(folds[group == GROUPS])) == 1 for group in set(GROUPS))


def test_folds_hold_equally_many_groups_or_differ_by_one() -> None:
    folds = group_folds(GROUPS, 5)
    sizes = [len(set(GROUPS[folds == fold])) for fold in range(5)]
    assert sorted(sizes) == [4, 4, 5, 5, 5]


def test_the_order_of_rows_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(GROUPS))
    assert np.array_equal(group_folds(GROUPS[order], 5), group_folds(GROUPS, 5)[order])


def test_a_subset_of_the_rows_has_the_folds_of_the_whole() -> None:
    few = GROUPS < "artist 2"
    assert np.array_equal(group_folds(GROUPS[few], 5, among=set(GROUPS)), group_folds(GROUPS, 5)[few])
    assert not np.array_equal(group_folds(GROUPS[few], 5), group_folds(GROUPS, 5)[few])


def test_more_folds_than_groups_are_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidInput, match="5 folds cannot be made of 3 groups"):
        group_folds(["a", "b", "c"], 5)


def test_fewer_than_two_folds_are_refused_without_blaming_the_groups() -> None:
    with pytest.raises(InvalidInput, match=r"1 folds hold nothing out of the fit: choose 2 or more\.$"):
        group_folds(GROUPS, 1)


def test_more_folds_than_can_be_numbered_are_refused_with_how_many_can() -> None:
    with pytest.raises(InvalidInput, match="choose 2 to 127 folds"):
        group_folds([f"artist {number}" for number in range(300)], 200)


def test_every_fold_of_a_cross_validation_is_tested() -> None:
    partition = fold_partition(GROUPS, 4)
    assert partition.tested == (0, 1, 2, 3)
    assert partition.count == 4


def test_the_official_split_scores_its_test_rows_alone() -> None:
    splits = np.where(np.arange(200) % 23 < 5, "test", "train")
    partition = official_partition(GROUPS, splits, 3)
    assert np.array_equal(partition.cells == 0, splits == "test")
    assert partition.tested == (0,)
    assert set(partition.cells) == {0, 1, 2, 3}


def test_validation_rows_are_scored_where_there_are_no_test_rows() -> None:
    splits = np.where(np.arange(200) % 23 < 5, "validation", "train")
    assert np.array_equal(official_partition(GROUPS, splits, 3).cells == 0, splits == "validation")


def test_an_official_split_without_held_out_rows_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"train 200.*--split groups"):
        official_partition(GROUPS, ["train"] * 200, 3)
