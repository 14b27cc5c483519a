"""Distances between sets of sounds against their definitions: sums over pairs, known distributions."""

import itertools

import numpy as np
import pytest

from analysis.effects.audio_distances import (
    ReferenceSet,
    frechet_distance,
    kernel_distance,
    median_distance,
    paired_kernel_distance,
    reference_distance,
    reference_set,
)
from analysis.effects.paired_intervals import Contributions, Estimate, crossed_interval


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


def paired_estimate(sounds: np.ndarray, reference: np.ndarray, shape: tuple[int, int]) -> Estimate:
    found = paired_kernel_distance(sounds, reference)
    assert found is not None
    return crossed_interval(Contributions(found.reshape(shape)))


def test_twins_that_are_the_same_sounds_have_no_distance() -> None:
    sounds = np.random.default_rng(0).standard_normal((8, 4))
    estimate = paired_estimate(sounds, sounds, (4, 2))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0, 0, 0), abs=1e-9)


def test_the_paired_distance_leaves_out_a_sound_and_its_own_twin() -> None:
    random = np.random.default_rng(1)
    x, y = random.standard_normal((5, 3)), random.standard_normal((5, 3)) + 1
    terms = [
        kernel(x[i], x[j], 1.5) + kernel(y[i], y[j], 1.5) - 2 * kernel(x[i], y[j], 1.5)
        for i, j in itertools.permutations(range(5), 2)
    ]
    found = paired_kernel_distance(x, y, bandwidth=1.5)
    assert found is not None
    assert found.mean() == pytest.approx(100 * np.mean(terms))
    assert paired_kernel_distance(x[:2], y[:2]) is None


def test_the_interval_of_paired_distances_holds_the_value_and_tells_a_shift() -> None:
    reference = np.random.default_rng(1).standard_normal((24, 4))
    shifted = paired_estimate(reference + 2.0, reference, (6, 4))
    assert shifted.low <= shifted.value <= shifted.high
    assert shifted.low > 10


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_at_least_90_of_100_intervals_of_the_distance_hold_it(shift: float) -> None:
    def sweep(random: np.random.Generator, prompts: int) -> Estimate:
        """Sounds of a prompt are alike, more or less damaged."""
        heard = random.standard_normal((prompts, 1, 4)) + 0.5 * random.standard_normal((prompts, 4, 4))
        reference = heard + 0.5 * random.standard_normal((prompts, 4, 4))
        steered = (
            heard + shift * random.uniform(size=(prompts, 1, 1)) + 0.5 * random.standard_normal(heard.shape)
        )
        cells = (steered.reshape(-1, 4), reference.reshape(-1, 4))
        found = paired_kernel_distance(*cells, bandwidth=2.0)
        assert found is not None
        return crossed_interval(Contributions(found.reshape(prompts, 4)))

    random = np.random.default_rng(5)
    truth = sweep(random, 250).value
    found = [sweep(random, 4) for _ in range(200)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.90


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


def reference_estimate(sounds: np.ndarray, reference: ReferenceSet, shape: tuple[int, int]) -> Estimate:
    found = reference_distance(sounds, reference)
    assert found is not None
    return crossed_interval(Contributions(found[0].reshape(shape), found[1]))


def test_distance_to_a_reference_is_the_unbiased_estimate_written_out() -> None:
    random = np.random.default_rng(3)
    sounds, recordings = random.standard_normal((6, 3)), random.standard_normal((7, 3)) + 0.5
    prepared = reference_set(recordings, list("aabbccc"))

    width = prepared.bandwidth
    among = [
        np.mean([kernel(one, other, width) for one, other in itertools.permutations(rows, 2)])
        for rows in (sounds, recordings)
    ]
    between = np.mean([kernel(one, other, width) for one in sounds for other in recordings])
    found = reference_estimate(sounds, prepared, (3, 2))
    assert found.value == pytest.approx(100 * (sum(among) - 2 * between))
    assert found.value == pytest.approx(kernel_distance(sounds, recordings))
    parts = reference_distance(sounds, prepared)
    assert parts is not None
    assert parts[1].shape == (3,)
    assert parts[1].mean() == pytest.approx(0.0, abs=1e-9)


def test_an_interval_against_a_reference_tells_a_shift_from_chance_and_groups_from_rows() -> None:
    random = np.random.default_rng(4)
    recordings = random.standard_normal((60, 8))
    alone = reference_set(recordings, [str(row) for row in range(60)])
    alike = reference_estimate(random.standard_normal((40, 8)), alone, (10, 4))
    apart = reference_estimate(random.standard_normal((40, 8)) + 1.0, alone, (10, 4))
    assert alike.low < 0 < alike.high
    assert apart.low > alike.high
    takes = recordings + np.repeat(random.standard_normal((6, 8)), 10, axis=0)
    by_groups = reference_set(takes, [str(row // 10) for row in range(60)])
    by_rows = reference_set(takes, [str(row) for row in range(60)])
    sounds = random.standard_normal((40, 8))
    wide, narrow = (reference_estimate(sounds, one, (10, 4)) for one in (by_groups, by_rows))
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_the_floor_is_what_two_sets_of_these_sizes_have_by_chance() -> None:
    random = np.random.default_rng(6)
    found = [
        frechet_distance(random.standard_normal((12, 3)), random.standard_normal((48, 3)), random_seed=seed)
        for seed in range(100)
    ]
    values, floors = np.array([(one.value, one.floor) for one in found if one is not None]).T
    assert floors.mean() == pytest.approx(values.mean(), rel=0.15)


def test_the_floor_does_not_hang_on_the_order_of_the_sounds() -> None:
    random = np.random.default_rng(7)
    recordings = random.standard_normal((60, 3)) + np.repeat([[0.0], [6.0]], 30, axis=0)
    sounds = random.standard_normal((60, 3)) + np.repeat([[0.0], [6.0]], 30, axis=0)
    found = frechet_distance(sounds, recordings)
    assert found is not None
    assert found.floor < 2.0  # of the first halves against the second it would be 36 and more
