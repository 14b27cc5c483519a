"""Names of splits that no probe knows are said, with what becomes of them."""

import pytest

from jobs.dataset.census import unknown_splits


@pytest.mark.parametrize("splits", [[], [None], ["train", "test", None], ["validation", "train"]])
def test_known_splits_are_not_remarked_upon(splits: list[str | None]) -> None:
    assert unknown_splits(splits) == []


def test_other_spellings_are_named_with_what_becomes_of_them() -> None:
    (said,) = unknown_splits(["TRAIN", "TRAIN", "Test", "dev", "test "])
    assert "'TRAIN' (2), 'Test' (1), 'dev' (1), 'test ' (1)" in said
    assert "'train', 'test', 'validation', in small letters" in said
    assert "--split official has nothing to score on" in said


def test_what_is_scored_all_the_same_is_said() -> None:
    (said,) = unknown_splits(["training", "test"])
    assert said.startswith("Splits 'training' (1) are")
    assert "--split official scores on 'test' and fits on all others" in said


def test_many_unknown_names_are_counted() -> None:
    (said,) = unknown_splits([f"fold{number}" for number in range(9)])
    assert "and 4 more" in said
