"""Rank agreement is Spearman's correlation of mean ratings, and undecided where chance could have made it."""

import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.rank_agreement import rank_agreement

SCORES = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.85, 0.9])


def test_it_is_spearmans_correlation_of_the_mean_ratings() -> None:
    random = np.random.default_rng(0)
    ratings = np.round(random.random((5, 8)) * 4 + 3 * SCORES)
    ratings[2, 3] = ratings[0, 0] = ratings[4, 0] = np.nan
    expected = spearmanr(np.nanmean(ratings, axis=0), SCORES).statistic
    assert rank_agreement(ratings, SCORES).correlation == pytest.approx(expected)


def test_items_without_a_score_or_a_rating_are_left_out() -> None:
    ratings, scores = np.array([[1.0, 2, 3, 4, 9, np.nan]]), np.array([1.0, 2, 4, 3, np.nan, 0])
    assert rank_agreement(ratings, scores).correlation == pytest.approx(0.8)


@pytest.mark.parametrize(("sign", "verdict"), [(1, "agree"), (-1, "opposed")])
def test_listeners_who_follow_the_score_agree_or_are_opposed(sign: int, verdict: str) -> None:
    ratings = sign * SCORES + 0.02 * np.random.default_rng(1).standard_normal((4, 8))
    found = rank_agreement(ratings, SCORES)
    assert found.verdict == verdict
    assert found.low <= found.correlation <= found.high


def test_ratings_that_have_nothing_to_do_with_the_score_are_undecided() -> None:
    random = np.random.default_rng(2)
    verdicts = [rank_agreement(random.random((4, 8)), SCORES).verdict for _ in range(40)]
    assert verdicts.count("undecided") >= 34, "wrong once in twenty, and with few items more often"


def test_one_divided_listener_more_makes_the_interval_wider() -> None:
    alike = np.tile(SCORES, (6, 1)) + 0.01 * np.random.default_rng(3).random((6, 8))
    divided = np.vstack([alike[:3], -alike[3:] + 0.5 * alike[:3]])
    narrow, wide = rank_agreement(alike, SCORES), rank_agreement(divided, SCORES)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert wide.verdict == "undecided"


def test_two_items_have_no_order_to_agree_about() -> None:
    found = rank_agreement(np.array([[1.0, 2.0]]), np.array([1.0, 2.0]))
    assert math.isnan(found.correlation)
    assert found.verdict == "undecided"
