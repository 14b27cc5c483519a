"""Separation on held-out rows: the AUC is scikit-learn's, and its interval covers."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from analysis.separation import auc_interval, roc_auc, separation


def test_the_auc_is_scikit_learn_s_ties_included() -> None:
    random = np.random.default_rng(0)
    scores = random.integers(0, 6, 300).astype(np.float64)
    positive = random.random(300) < 0.3
    assert roc_auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


@pytest.mark.parametrize(("shift", "positives", "negatives"), [(0.0, 30, 30), (1.0, 20, 60), (2.5, 12, 40)])
def test_the_interval_covers_the_true_auc_as_often_as_it_says(
    shift: float, positives: int, negatives: int
) -> None:
    from scipy.stats import norm

    truth, random, covered = norm.cdf(shift / np.sqrt(2)), np.random.default_rng(1), 0
    positive = np.arange(positives + negatives) < positives
    for _ in range(400):
        scores = random.standard_normal(len(positive)) + shift * positive
        low, high = auc_interval(roc_auc(scores, positive), positives, negatives)
        covered += low <= truth <= high
    assert covered / 400 >= 0.92


def test_a_perfect_score_of_few_groups_is_no_certainty() -> None:
    low, high = auc_interval(1.0, 5, 5)
    assert 0.5 < low < 0.85
    assert high == 1.0
    assert auc_interval(1.0, 500, 500)[0] > 0.98


def test_rows_of_one_group_are_one_witness() -> None:
    projections = np.repeat([1.0, 0.0], 50) + np.random.default_rng(0).standard_normal(100)
    positive = np.arange(100) < 50
    few = separation(projections, positive, groups=(4, 4))
    many = separation(projections, positive, groups=(50, 50))
    assert few is not None
    assert many is not None
    assert few.score == many.score
    assert few.score_high - few.score_low > 2 * (many.score_high - many.score_low)


def test_a_class_without_rows_cannot_be_measured() -> None:
    assert separation(np.arange(3.0), np.zeros(3, bool), groups=(0, 3)) is None
