"""Scores against scikit-learn."""

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as reference

from analysis.metrics import (
    ClassScores,
    class_scores,
    r2_of_sums,
    r2_statistics,
    roc_auc,
    root_mean_squared_error,
)

RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 4, 300)
SCORES = np.round(RANDOM.normal(size=(300, 4)) + np.eye(4)[CODES], 1)  # rounded, so that there are ties


def scores_of(codes: NDArray[np.int64], scores: NDArray[np.float64]) -> ClassScores:
    return class_scores(codes, scores.argmax(axis=1), lambda place: scores[:, place], scores.shape[1])


def test_class_scores_are_those_of_scikit_learn() -> None:
    found, named = scores_of(CODES, SCORES), SCORES.argmax(axis=1)
    assert found.accuracy == reference.accuracy_score(CODES, named)
    assert np.isclose(found.balanced_accuracy, reference.balanced_accuracy_score(CODES, named))
    assert np.isclose(found.macro_f1, reference.f1_score(CODES, named, average="macro"))
    assert np.array_equal(found.confusion, reference.confusion_matrix(CODES, named))
    for place in range(4):
        member = place == CODES
        assert np.isclose(found.roc_auc[place], reference.roc_auc_score(member, SCORES[:, place]))
        assert np.isclose(found.specificity[place], reference.recall_score(~member, named != place))


def test_a_class_without_rows_has_no_scores_and_does_not_lower_the_means() -> None:
    known = CODES != 3
    found = scores_of(CODES[known], SCORES[known])
    named = SCORES[known].argmax(axis=1)
    assert np.isnan([found.recall[3], found.f1[3], found.roc_auc[3]]).all()
    recalls = reference.recall_score(CODES[known], named, labels=[0, 1, 2], average="macro")
    assert np.isclose(found.balanced_accuracy, recalls)


def test_roc_auc_needs_both_kinds() -> None:
    assert np.isnan(roc_auc(np.ones(5, bool), np.arange(5.0)))


def test_r2_and_rmse_are_those_of_scikit_learn() -> None:
    values = RANDOM.normal(120, 30, 50)
    guesses = values + RANDOM.normal(0, 10, 50)
    sums = r2_statistics(values, guesses).sum(axis=0)
    assert np.isclose(r2_of_sums(sums), reference.r2_score(values, guesses))
    assert np.isclose(
        root_mean_squared_error(values, guesses), reference.root_mean_squared_error(values, guesses)
    )


def test_numbers_that_do_not_vary_have_no_r2() -> None:
    values = np.full(10, 3.3)
    assert np.isnan(r2_of_sums(r2_statistics(values, values + 1).sum(axis=0)))
