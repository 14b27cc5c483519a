"""Intervals of held-out scores over groups: their coverage is simulated, their parts are checked by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

from analysis.group_intervals import interval_of, r2_belief, share_belief, training_factor
from analysis.metrics import r2_statistics
from analysis.splits import Partition, fold_partition

Array = NDArray[np.float64]
FIVE_FOLDS = 2.25
DRAWS = 2000
LEAST = 0.93 - 2 * np.sqrt(0.93 * 0.07 / DRAWS)
"""0.93 less two deviations of what so many draws show of it."""


def law(groups: int, clips: int | None, accuracy: float, alike: float) -> Array:
    """Right clips and clips of each group, (G, 2, draws), beta-binomial; `clips` None: 1 to 10."""
    random = np.random.default_rng([groups, clips or 0, int(100 * accuracy), int(10 * alike)])
    sizes = random.integers(1, 11, (groups, 1)) if clips is None else np.full((groups, 1), clips)
    own = np.full((groups, DRAWS), accuracy)
    if alike and accuracy < 1:
        weight = 1 / alike - 1
        own = random.beta(accuracy * weight, (1 - accuracy) * weight, (groups, DRAWS))
    right = random.binomial(sizes, own)
    return np.stack([right, np.broadcast_to(sizes, right.shape)], axis=1).astype(np.float64)


def share_interval(rows: Array, training: float = 1.0) -> tuple[Array, Array]:
    """Of sums by group (G, 2, …)."""
    return interval_of([share_belief(np.arange(len(rows)), rows, training=training)])


@pytest.mark.parametrize("clips", [1, 3, 10, None])
@pytest.mark.parametrize("groups", [10, 20, 40, 160])
def test_at_least_93_of_100_intervals_of_an_accuracy_hold_the_truth(groups: int, clips: int | None) -> None:
    for accuracy in (0.3, 0.5, 0.9, 0.95, 0.99, 1.0):
        for alike in (0.0, 0.5, 0.8) if clips != 1 and accuracy < 1 else (0.0,):
            rows = law(groups, clips, accuracy, alike)
            for training in (1.0, FIVE_FOLDS):
                low, high = share_interval(rows, training)
                covered = np.mean((low <= accuracy) & (accuracy <= high))
                assert covered >= LEAST, (accuracy, alike, training)


@pytest.mark.parametrize(("songs", "width", "plainness"), [(20, 32, 0.5), (60, 24, 0.4)])
def test_intervals_of_probes_that_are_really_fitted_hold_what_such_probes_score(
    songs: int, width: int, plainness: float
) -> None:
    """Nearest means of Gaussian clips, five folds of songs; what a fit scores on other songs is exact."""
    from scipy.stats import norm

    random = np.random.default_rng(songs)
    rows, truths = [], []
    for _ in range(500):
        labels = np.where(random.permutation(songs) % 2, 1.0, -1.0)
        clips = random.standard_normal((songs, 2, width)) * 0.7 + 0.7 * random.standard_normal(
            (songs, 1, width)
        )
        clips[:, :, 0] += plainness * labels[:, None]
        folds, right = random.permutation(songs) % 5, np.zeros(songs)
        for fold in range(5):
            kept = folds != fold
            means = [clips[kept & (labels == side)].mean(axis=(0, 1)) for side in (1, -1)]
            weight, offset = means[0] - means[1], -(means[0] @ means[0] - means[1] @ means[1]) / 2
            right[~kept] = ((clips[~kept] @ weight + offset) * labels[~kept, None] > 0).sum(axis=1)
            reach, length = plainness * weight[0], np.linalg.norm(weight) * np.sqrt(0.98)
            truths.append(norm.cdf((reach + offset) / length) / 2 + norm.cdf((reach - offset) / length) / 2)
        rows.append(np.stack([right, np.full(songs, 2.0)], axis=1))
    truth, every = float(np.mean(truths)), np.stack(rows, axis=-1)
    covered = {
        training: np.mean((low <= truth) & (truth <= high))
        for training in (1.0, FIVE_FOLDS)
        for low, high in [share_interval(every, training)]
    }
    assert covered[FIVE_FOLDS] >= 0.93
    assert covered[1.0] < 0.93, "without what the fitting adds they are too narrow"


def test_all_right_is_no_certainty_and_counts_groups_not_clips() -> None:
    for groups, clips in ((10, 1), (10, 50), (160, 4)):
        low, high = share_interval(np.full((groups, 2), float(clips)), FIVE_FOLDS)
        assert high == 1.0
        assert float(low) == pytest.approx(betaincinv(groups + 0.5, 0.5, 0.025))
    all_wrong = np.stack([np.zeros(40), np.full(40, 3.0)], axis=1)
    low, high = share_interval(all_wrong, FIVE_FOLDS)
    assert low == 0.0
    assert 0.04 < high < 0.08


def test_groups_of_unequal_size_that_are_all_right_count_as_fewer() -> None:
    even, uneven = np.full((20, 2), 5.0), np.repeat([[1.0], [30.0]], [15, 5], axis=0) * np.ones(2)
    assert share_interval(uneven)[0] < share_interval(even)[0] - 0.1


def test_a_share_of_single_clips_has_jeffreys_interval_of_so_many_with_the_degrees_of_the_groups() -> None:
    right = (np.arange(400) % 10 < 7).astype(np.float64)
    low, high = share_interval(np.stack([right, np.ones(400)], axis=1))
    worth = 399 * (1.959964 / stdtrit(399, 0.975)) ** 2
    ends = betaincinv(0.7 * worth + 0.5, 0.3 * worth + 0.5, [0.025, 0.975])
    assert (float(low), float(high)) == pytest.approx(tuple(ends), abs=2e-4)


def test_clips_that_repeat_their_group_tell_nothing_new() -> None:
    right = (np.random.default_rng(2).random(100) < 0.7).astype(np.float64)
    alone = share_interval(np.stack([right, np.ones(100)], axis=1))
    nine = share_interval(np.stack([9 * right, np.full(100, 9.0)], axis=1))
    assert np.array(nine) == pytest.approx(np.array(alone))
    rows = np.stack([np.repeat(right, 9), np.ones(900)], axis=1)
    as_rows = interval_of([share_belief(np.repeat(np.arange(100), 9), rows)])
    assert np.array(as_rows) == pytest.approx(np.array(alone))


def test_one_group_says_hardly_anything_and_no_clip_says_nothing() -> None:
    low, high = share_interval(np.array([[7.0, 10.0]]))
    assert low < 0.1
    assert high > 0.9
    assert np.isnan(share_interval(np.zeros((3, 2)))).all()


def test_the_fitting_adds_to_the_variance_what_nadeau_and_bengio_say() -> None:
    groups = np.repeat([f"song {number}" for number in range(40)], 3)
    assert training_factor(fold_partition(groups, 5), groups) == pytest.approx(FIVE_FOLDS)
    assert training_factor(fold_partition(groups, 2), groups) == pytest.approx(3.0)
    cells = np.where(np.repeat(np.arange(40), 3) < 8, 1, 0).astype(np.int8)
    assert training_factor(Partition(cells, 2, (1,)), groups) == pytest.approx(1 + 8 / 32)


def test_the_interval_of_several_lies_around_all_of_them() -> None:
    rows = law(40, 3, 0.5, 0.0)[:, :, :2]
    beliefs = [share_belief(np.arange(40), rows + shift) for shift in (np.zeros((1, 2, 1)), [[[0.5], [0.0]]])]
    own, (low, high) = [interval_of([one]) for one in beliefs], interval_of(beliefs)
    assert (own[0][0] < low).all()
    assert (high < own[1][1]).all()
    below = sum(one.below(low) for one in beliefs) / 2
    assert below == pytest.approx(0.025)
    assert sum(one.below(high) for one in beliefs) / 2 == pytest.approx(0.975)


def test_an_interval_of_r2_is_the_jackknife_of_groups_on_a_scale_that_knows_no_bound() -> None:
    random = np.random.default_rng(6)
    values, groups = np.repeat(random.normal(size=30), 4), np.repeat(np.arange(30), 4)
    guesses = values + random.normal(0, 0.4, 120)
    low, high = interval_of([r2_belief(groups, r2_statistics(values, guesses), training=2.0)])

    def unexplained(kept: NDArray[np.bool_]) -> float:
        return float(np.log(np.square((values - guesses)[kept]).mean() / values[kept].var()))

    without = np.array([unexplained(groups != group) for group in range(30)])
    half = stdtrit(29, 0.975) * np.sqrt(2.0 * 29 / 30 * np.square(without - without.mean()).sum())
    middle = unexplained(groups >= 0)
    assert (float(low), float(high)) == pytest.approx((1 - np.exp(middle + half), 1 - np.exp(middle - half)))


def test_most_intervals_of_r2_hold_the_truth() -> None:
    random, covered = np.random.default_rng(7), 0
    groups = np.repeat(np.arange(30), 3)
    for _ in range(400):
        values = np.repeat(random.normal(size=30), 3)
        errors = np.repeat(random.normal(0, 0.5, 30), 3) + random.normal(0, 0.5, 90)
        low, high = interval_of([r2_belief(groups, r2_statistics(values, values + errors))])
        covered += bool(low <= 0.5 <= high)
    assert covered / 400 >= 0.91


def test_numbers_without_error_have_an_interval_and_numbers_that_do_not_vary_have_none() -> None:
    groups = np.arange(20)
    values = np.random.default_rng(8).normal(size=20)
    low, high = interval_of([r2_belief(groups, r2_statistics(values, values))])
    assert (float(low), float(high)) == pytest.approx((1.0, 1.0))
    constant = np.ones(20)
    assert np.isnan(interval_of([r2_belief(groups, r2_statistics(constant, values))])).all()


def test_two_groups_of_one_number_each_have_an_interval_all_the_same() -> None:
    values = np.repeat([0.0, 1.0], 5)
    guesses = values + np.random.default_rng(9).normal(0, 0.1, 10)
    low, high = interval_of([r2_belief(np.repeat([0, 1], 5), r2_statistics(values, guesses))])
    assert low < 0.9
    assert high <= 1.0
