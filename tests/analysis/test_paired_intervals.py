"""Intervals over prompts and random states."""

import numpy as np
import pytest

from analysis.paired_intervals import crossed_draws, crossed_interval
from analysis.transfer import mean_score, retention_score, transfer_score


def test_the_value_is_the_score_of_the_means() -> None:
    steered, twin = np.array([[0.5, 0.7], [0.9, 0.3]]), np.array([[0.1, 0.1], [0.2, 0.4]])
    both = np.stack([steered, twin])
    assert crossed_interval(both, transfer_score).value == pytest.approx(0.6 - 0.2)
    assert crossed_interval(both, retention_score).value == pytest.approx(0.6 / 0.2)


def test_prompts_and_random_states_are_drawn_whole() -> None:
    draws = crossed_draws(5, 3, resamples=40)
    prompts, states = draws.sum(axis=2), draws.sum(axis=1)
    assert (draws == prompts[:, :, None] * states[:, None, :] / 15).all()
    assert (draws.sum(axis=(1, 2)) == 15).all()


def test_an_effect_that_differs_between_prompts_alone_is_as_uncertain_as_few_prompts_are() -> None:
    by_prompt = np.repeat(np.array([0.0, 1.0, 0.0, 1.0])[:, None], 50, axis=1)
    estimate = crossed_interval(by_prompt[None], mean_score)
    assert estimate.high - estimate.low > 0.7  # 200 cells, but four witnesses


def test_noise_that_twins_share_does_not_widen_the_interval_of_their_difference() -> None:
    shared = np.random.default_rng(0).standard_normal((6, 6)) * 10
    estimate = crossed_interval(np.stack([shared + 0.5, shared]), transfer_score)
    assert (estimate.low, estimate.high) == pytest.approx((0.5, 0.5))


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    hits = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        cells = (
            random.standard_normal((12, 1))
            + random.standard_normal((1, 12))
            + random.standard_normal((12, 12))
        )
        estimate = crossed_interval(cells[None], mean_score, resamples=300, random_seed=seed)
        hits += estimate.low <= 0.0 <= estimate.high
    assert 0.88 < hits / 200 <= 1.0


def test_cells_that_nobody_measured_are_left_out() -> None:
    values = np.array([[1.0, np.nan], [3.0, 2.0]])
    assert crossed_interval(values[None], mean_score).value == pytest.approx(2.0)
    assert np.isnan(crossed_interval(np.full((1, 2, 2), np.nan), mean_score).value)


def test_a_single_cell_has_a_value_and_no_interval() -> None:
    estimate = crossed_interval(np.full((1, 1, 1), 0.3), mean_score)
    assert estimate.value == 0.3
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)
