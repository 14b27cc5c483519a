"""Distances between sets of sounds against their definitions: sums over pairs, known distributions."""

import itertools

import numpy as np
import pytest

from analysis.audio_distances import (
    frechet_distance,
    kernel_distance,
    median_distance,
    paired_kernel_distance,
    reference_distance,
    reference_set,
)
from analysis.paired_intervals import crossed_draws


def kernel(one: np.ndarray, other: np.ndarray, bandwidth: float) -> float:
    return float(np.exp(-np.sum((one - other) ** 2) / (2 * bandwidth**2)))


def test_kernel_distance_is_the_unbiased_sum_over_pairs() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((5, 3)), random.standard_normal((4, 3)) + 1
    within = [kernel(a, b, 1.5) for a, b in itertools.permutations(x, 2)]
    other = [kernel(a, b, 1.5) for a, b in itertools.permutations(y, 2)]
    between = [kernel(a, b, 1.5) for a in x for b in y]
    expected = 100 * (np.mean(within) + np.mean(other) - 2 * np.mean(between))
    assert kernel_distance(x, y, bandwidth=1.5) == pytest.approx(expected)


def test_kernel_distance_of_two_sets_of_one_distribution_is_zero_on_average() -> None:
    found = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        found.append(
            kernel_distance(random.standard_normal((8, 4)), random.standard_normal((8, 4)), bandwidth=2.0)
        )
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0  # a biased estimate is never negative


def test_twins_that_are_the_same_sounds_have_no_distance_whatever_is_drawn() -> None:
    sounds = np.random.default_rng(0).standard_normal((8, 4))
    draws = crossed_draws(4, 2, resamples=50).reshape(50, 8)
    estimate = paired_kernel_distance(sounds, sounds, draws)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_the_interval_of_paired_distances_holds_the_value_and_tells_a_shift() -> None:
    random = np.random.default_rng(1)
    reference = random.standard_normal((24, 4))
    draws = crossed_draws(6, 4, resamples=200).reshape(200, 24)
    shifted = paired_kernel_distance(reference + 2.0, reference, draws)
    assert shifted.low <= shifted.value <= shifted.high
    assert shifted.low > 10


def test_the_bandwidth_is_the_median_distance_of_different_sounds() -> None:
    points = np.array([[0.0], [1.0], [5.0]])  # distances 1, 4, 5
    assert median_distance(points) == 4.0
    assert median_distance(np.zeros((3, 2))) == 1.0


def test_frechet_distance_of_normal_distributions_is_the_closed_form_above_a_small_floor() -> None:
    random = np.random.default_rng(0)
    reference = random.standard_normal((4000, 2)) * [2.0, 1.0]
    sounds = random.standard_normal((4000, 2)) * [1.0, 1.0] + [3.0, 0.0]
    found = frechet_distance(sounds, reference)
    assert found is not None
    assert found.value == pytest.approx(3.0**2 + (2 - 1) ** 2, rel=0.05)
    assert found.floor < 0.02


def test_there_is_no_frechet_distance_of_a_handful_of_sounds() -> None:
    sounds = np.random.default_rng(0).standard_normal((7, 512))
    assert frechet_distance(sounds, sounds) is None


def test_distance_to_a_reference_is_the_unbiased_estimate_written_out() -> None:
    random = np.random.default_rng(3)
    sounds, recordings = random.standard_normal((5, 3)), random.standard_normal((7, 3)) + 0.5
    prepared = reference_set(recordings, list("aabbccc"), resamples=50)

    width = prepared.bandwidth
    among = [
        np.mean([kernel(one, other, width) for one, other in itertools.permutations(rows, 2)])
        for rows in (sounds, recordings)
    ]
    between = np.mean([kernel(one, other, width) for one in sounds for other in recordings])
    found = reference_distance(sounds, prepared, np.ones((50, 5)))
    assert found.value == pytest.approx(100 * (sum(among) - 2 * between))
    assert found.value == pytest.approx(kernel_distance(sounds, recordings))
    assert found.low < found.high  # the reference is drawn, too


def test_an_interval_against_a_reference_tells_a_shift_from_chance_and_groups_from_rows() -> None:
    random = np.random.default_rng(4)
    recordings = random.standard_normal((60, 8))
    draws = random.multinomial(40, np.full(40, 1 / 40), size=500).astype(np.float64)
    alone = reference_set(recordings, [str(row) for row in range(60)], resamples=500)
    alike = reference_distance(random.standard_normal((40, 8)), alone, draws)
    apart = reference_distance(random.standard_normal((40, 8)) + 1.0, alone, draws)
    assert alike.low < 0 < alike.high
    assert apart.low > alike.high
    takes = recordings + np.repeat(random.standard_normal((6, 8)), 10, axis=0)
    by_groups = reference_set(takes, [str(row // 10) for row in range(60)], resamples=500)
    by_rows = reference_set(takes, [str(row) for row in range(60)], resamples=500)
    sounds = random.standard_normal((40, 8))
    wide, narrow = (reference_distance(sounds, one, draws) for one in (by_groups, by_rows))
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
