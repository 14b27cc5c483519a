"""Separation on held-out rows: the AUC is scikit-learn's, and its interval covers."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from analysis.directions.separation import auc_interval, separation
from analysis.metrics import roc_auc


def test_the_auc_is_scikit_learn_s_ties_included() -> None:
    random = np.random.default_rng(0)
    scores = random.integers(0, 6, 300).astype(np.float64)
    positive = random.random(300) < 0.3
    assert roc_auc(positive, scores) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


@pytest.mark.parametrize(("shift", "positives", "negatives"), [(0.0, 30, 30), (1.0, 20, 60), (2.5, 12, 40)])
def test_the_interval_covers_the_true_auc_as_often_as_it_says(
    shift: float, positives: int, negatives: int
) -> None:
    from scipy.stats import norm

    truth, random, covered = norm.cdf(shift / np.sqrt(2)), np.random.default_rng(1), 0
    positive = np.arange(positives + negatives) < positives
    for _ in range(400):
        scores = random.standard_normal(len(positive)) + shift * positive
        low, high = auc_interval(roc_auc(positive, scores), positives, negatives)
        covered += low <= truth <= high
    assert covered / 400 >= 0.92


def test_a_perfect_score_of_few_groups_is_no_certainty() -> None:
    low, high = auc_interval(1.0, 5, 5)
    assert 0.5 < low < 0.85
    assert high == 1.0
    assert auc_interval(1.0, 500, 500)[0] > 0.98


def test_rows_of_one_group_are_one_witness() -> None:
    """Songs that differ from each other: ten clips of one say little more than one clip."""
    random = np.random.default_rng(0)
    positive = np.repeat(np.arange(20) % 2 == 0, 10)
    projections = np.repeat(random.standard_normal(20), 10) + positive + 0.1 * random.standard_normal(200)
    few = separation(projections, positive, groups=np.repeat(np.arange(20), 10))
    many = separation(projections, positive, groups=np.arange(200))
    assert few is not None
    assert many is not None
    assert few.score == many.score
    assert few.score_high - few.score_low > 2 * (many.score_high - many.score_low)


def test_clips_of_their_own_are_counted_one_by_one_and_fewer_where_fits_were_drawn_too() -> None:
    random = np.random.default_rng(2)
    positive = np.arange(400) < 150
    projections = random.standard_normal(400) + positive
    found = separation(projections, positive, groups=np.arange(400))
    fitted = separation(projections, positive, groups=np.arange(400), training=2.25)
    assert found is not None
    assert fitted is not None
    low, high = auc_interval(found.score, 150, 250)
    assert found.score_high - found.score_low == pytest.approx(high - low, rel=0.15)
    ratio = (fitted.score_high - fitted.score_low) / (found.score_high - found.score_low)
    assert ratio == pytest.approx(1.5, rel=0.05)


def test_a_perfect_score_counts_groups() -> None:
    positive = np.repeat([True, False], 50)
    found = separation(positive.astype(float), positive, groups=np.repeat(np.arange(10), 10), training=2.25)
    assert found is not None
    assert (found.score_low, found.score_high) == auc_interval(1.0, 5, 5)


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.9])
def test_the_interval_over_groups_covers_however_alike_their_clips_are(alike: float) -> None:
    from scipy.stats import norm

    random, covered = np.random.default_rng(3), 0
    groups, positive = np.repeat(np.arange(24), 4), np.repeat(np.arange(24) % 2 == 0, 4)
    for _ in range(400):
        common, own = random.standard_normal(24)[groups], random.standard_normal(96)
        projections = np.sqrt(alike) * common + np.sqrt(1 - alike) * own + positive
        found = separation(projections, positive, groups=groups)
        assert found is not None
        covered += found.score_low <= norm.cdf(1 / np.sqrt(2)) <= found.score_high
    assert covered / 400 >= 0.92


def test_a_class_without_rows_cannot_be_measured() -> None:
    assert separation(np.arange(3.0), np.zeros(3, bool), groups=np.arange(3)) is None
