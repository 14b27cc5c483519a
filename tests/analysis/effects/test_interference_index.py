"""Slopes of effects over strength, and the index of interference."""

from collections.abc import Sequence

import numpy as np
import pytest

from analysis.effects.interference import Moved, dose_slopes, interference_index, moved_by
from analysis.effects.paired_intervals import Contributions, crossed_interval


def test_a_linear_dose_response_has_its_slope() -> None:
    alphas = np.array([0.25, 0.5, 1.0])
    values = np.array([[0.2, 0.4], [0.6, 0.8]])
    estimate = crossed_interval(dose_slopes(alphas, alphas[:, None, None] * values))
    assert estimate.value == pytest.approx(0.5)
    assert estimate.low < 0.5 < estimate.high
    assert dose_slopes(alphas, alphas[:, None, None] * values).values == pytest.approx(values)


def test_the_slope_is_least_squares_through_the_origin() -> None:
    alphas = np.array([0.5, 1.0, 2.0])
    changes = np.array([0.3, 0.2, 0.9])
    expected, *_ = np.linalg.lstsq(alphas[:, None], changes, rcond=None)
    found = dose_slopes(alphas, changes[:, None, None]).values
    assert found == pytest.approx(expected[0])
    assert np.isnan(dose_slopes(np.zeros(3), changes[:, None, None]).values).all()


CONCEPTS = ("mode", "style")
PROMPTS, STATES = 8, 4
CHOOSING = np.repeat([[True], [False]], PROMPTS // 2, axis=0) & np.ones((1, STATES), dtype=bool)


def moved(steered: str, slopes: dict[str, Sequence[float]], noise: float, seed: int) -> Moved:
    """A pair that is steered: slopes of the classes of each concept, in conditions that differ by noise."""
    random = np.random.default_rng(seed)
    by_concept = {
        concept: moved_by(
            [Contributions(slope + noise * random.standard_normal((PROMPTS, STATES))) for slope in classes],
            CHOOSING,
        )
        for concept, classes in slopes.items()
    }
    return Moved(steered, by_concept, [str(prompt) for prompt in range(PROMPTS)])


def test_the_index_is_what_others_are_moved_over_what_the_steered_are() -> None:
    pairs = [
        moved("style", {"style": (0.4, -0.4), "mode": (0.1, -0.1)}, 0.0, 0),
        moved("style", {"style": (0.6, -0.6), "mode": (0.3, -0.3)}, 0.0, 0),
        moved("mode", {"style": (-0.05, 0.05), "mode": (0.3, -0.3)}, 0.0, 0),
    ]
    found = interference_index(pairs, CONCEPTS)
    assert found.value == pytest.approx((0.2 + 0.05) / (0.5 + 0.3))  # means over the pairs of a concept
    alone = [moved("style", {"style": (0.4, -0.4), "mode": (0.0, 0.0)}, 0.0, 0) for _ in range(2)]
    assert interference_index(alone, CONCEPTS).value == 0.0


def test_noise_does_not_look_like_interference() -> None:
    """The sum of sizes of noise would be 0.25 of what is steered here, and more with more classes."""
    found = [
        interference_index(
            [
                moved("style", {"style": (0.2, -0.2), "mode": (0.0,) * 4}, 0.1, seed),
                moved("mode", {"mode": (0.2, -0.2), "style": (0.0,) * 4}, 0.1, 1000 + seed),
            ],
            CONCEPTS,
        )
        for seed in range(150)
    ]
    values = [one.value for one in found]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert np.mean([one.low <= 0.0 <= one.high for one in found]) >= 0.90


def test_random_directions_are_measured_by_what_steering_moves() -> None:
    steered = [moved("style", {"style": (0.4, -0.4), "mode": (0.2, -0.2)}, 0.0, 0)]
    random = [moved("style", {"style": (0.01, -0.01), "mode": (0.1, -0.1)}, 0.0, 0)]
    assert interference_index(random, CONCEPTS, steered=steered).value == pytest.approx(0.1 / 0.4)


def test_there_is_no_index_where_nothing_is_moved_or_a_half_is_missing() -> None:
    still = [moved("style", {"style": (0.0, 0.0), "mode": (0.1, -0.1)}, 0.0, 0)]
    assert np.isnan(interference_index(still, CONCEPTS).value)
    slopes = [Contributions(np.ones((PROMPTS, STATES)))]
    for half in (np.zeros_like(CHOOSING), np.ones_like(CHOOSING)):
        assert np.isnan(moved_by(slopes, half).values).all()
