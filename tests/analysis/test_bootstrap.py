"""Intervals over groups."""

import numpy as np

from analysis.bootstrap import MOST_GROUPS, group_bootstrap, ratio


def _means(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones(len(values))], axis=1)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 900)
    low, high = group_bootstrap([str(place) for place in range(900)], _means(values), ratio)
    expected = 1.96 * values.std() / 30
    assert abs((high - low) / 2 - expected) < 0.1 * expected
    assert abs((high + low) / 2 - values.mean()) < 0.1 * expected


def test_clips_of_one_group_are_no_independent_witnesses() -> None:
    values = np.repeat(np.random.default_rng(2).normal(size=100), 9)
    alone = group_bootstrap([str(place) for place in range(900)], _means(values), ratio)
    grouped = group_bootstrap(np.repeat([str(place) for place in range(100)], 9), _means(values), ratio)
    widths = [float(high - low) for low, high in (alone, grouped)]
    assert 2.6 < widths[1] / widths[0] < 3.4  # √9, the factor that repeating every clip nine times feigns


def test_scores_side_by_side_are_scored_on_the_same_draws() -> None:
    values = np.random.default_rng(3).normal(size=(60, 1, 2))
    statistics = np.concatenate([values, np.ones((60, 1, 2))], axis=1)
    groups = [str(place) for place in range(60)]
    low, _ = group_bootstrap(groups, statistics, ratio)
    assert low.shape == (2,)
    assert low[1] == group_bootstrap(groups, statistics[:, :, 1], ratio)[0]


def test_a_score_that_no_draw_has_is_nan() -> None:
    low, high = group_bootstrap(["a", "b"], np.zeros((2, 2)), ratio)
    assert np.isnan(low)
    assert np.isnan(high)


def test_very_many_groups_give_the_interval_of_their_mean() -> None:
    count = 3 * MOST_GROUPS
    values = np.random.default_rng(4).normal(size=count)
    low, high = group_bootstrap([str(place) for place in range(count)], _means(values), ratio)
    expected = 1.96 * values.std() / np.sqrt(count)
    assert abs((high - low) / 2 - expected) < 0.15 * expected
