"""Rank agreement is Spearman's correlation of mean ratings, and undecided where chance could have made it."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.rank_agreement import Agreement, rank_agreement

SCORES = np.array([0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.85, 0.9])


def test_it_is_spearmans_correlation_of_the_mean_ratings() -> None:
    random = np.random.default_rng(0)
    ratings = np.round(random.random((5, 8)) * 4 + 3 * SCORES)
    ratings[2, 3] = ratings[0, 0] = ratings[4, 0] = np.nan
    expected = spearmanr(np.nanmean(ratings, axis=0), SCORES).statistic
    assert rank_agreement(ratings, SCORES).correlation == pytest.approx(expected)


def test_items_without_a_score_or_a_rating_are_left_out() -> None:
    ratings = np.array([[1.0, 2, 3, 4, 5, 6, 9, np.nan]])
    scores = np.array([1.0, 2, 4, 3, 5, 6, np.nan, 0])
    expected = spearmanr(ratings[0, :6], scores[:6]).statistic
    assert rank_agreement(ratings, scores).correlation == pytest.approx(expected)


@pytest.mark.parametrize(("sign", "verdict"), [(1, "agree"), (-1, "opposed")])
def test_listeners_who_follow_the_score_agree_or_are_opposed(sign: int, verdict: str) -> None:
    ratings = sign * SCORES + 0.02 * np.random.default_rng(1).standard_normal((4, 8))
    found = rank_agreement(ratings, SCORES)
    assert found.verdict == verdict
    assert found.low <= found.correlation <= found.high


@pytest.mark.parametrize("items", [3, 5, 6, 8])
def test_ratings_that_have_nothing_to_do_with_the_score_are_undecided(items: int) -> None:
    random = np.random.default_rng(2)
    scores = np.arange(float(items))
    verdicts = [rank_agreement(random.random((4, items)), scores, resamples=200).verdict for _ in range(150)]
    assert verdicts.count("undecided") >= 139, "wrong once in twenty, give or take what chance allows"


def test_chance_is_the_share_of_orders_that_agree_as_much_either_way() -> None:
    scores = np.arange(6.0)
    found = rank_agreement(np.tile(scores, (3, 1)), scores)
    assert found.chance == pytest.approx(2 / math.factorial(6))
    swapped = rank_agreement(np.tile(scores[[1, 0, 2, 3, 5, 4]], (3, 1)), scores)
    oracle = [spearmanr(order, scores).statistic for order in itertools.permutations(range(6))]
    beyond = np.mean(np.abs(oracle) >= swapped.correlation - 1e-9)
    assert swapped.chance == pytest.approx(beyond)


def test_an_interval_above_zero_is_not_enough() -> None:
    assert Agreement(0.7, 0.1, 0.9, chance=0.2).verdict == "undecided"
    assert Agreement(0.7, 0.1, 0.9, chance=0.02).verdict == "agree"
    assert Agreement(0.7, -0.1, 0.9, chance=0.02).verdict == "undecided"


def test_one_divided_listener_more_makes_the_interval_wider() -> None:
    alike = np.tile(SCORES, (6, 1)) + 0.01 * np.random.default_rng(3).random((6, 8))
    divided = np.vstack([alike[:3], -alike[3:] + 0.5 * alike[:3]])
    narrow, wide = rank_agreement(alike, SCORES), rank_agreement(divided, SCORES)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert wide.verdict == "undecided"


def test_five_items_are_too_few_to_agree_about() -> None:
    found = rank_agreement(np.tile(np.arange(5.0), (4, 1)), np.arange(5.0))
    assert math.isnan(found.correlation)
    assert found.verdict == "undecided"
