"""Intervals over prompts and random states: their coverage is simulated, their parts are checked by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.effects.metrics import mean_score, retention_score, transfer_score
from analysis.effects.paired_intervals import (
    Contributions,
    Estimate,
    Spread,
    crossed_interval,
    crossed_spread,
    interval_of,
    linearised,
    why_no_interval,
    witnesses,
)

Array = NDArray[np.float64]
SWEEPS = 300


def mean_of(values: Array, **options: list[str]) -> Estimate:
    return crossed_interval(Contributions(values), **options)  # type: ignore[arg-type]


def everywhere(statistics: Array) -> NDArray[np.bool_]:
    return np.ones(statistics.shape[1:], dtype=bool)


def simulated(prompts: int, states: int, deviations: tuple[float, float, float]) -> list[Array]:
    """Sweeps of mean 0 with these standard deviations of prompts, random states and single conditions."""
    random = np.random.default_rng(prompts * 100 + states)
    shapes = ((prompts, 1), (1, states), (prompts, states))
    return [
        sum(
            (size * random.standard_normal(shape) for size, shape in zip(deviations, shapes, strict=True)),
            np.zeros((prompts, states)),
        )
        for _ in range(SWEEPS)
    ]


def coverage(sweeps: list[Array]) -> float:
    found = [mean_of(values) for values in sweeps]
    return float(np.mean([one.low <= 0.0 <= one.high for one in found]))


@pytest.mark.parametrize(("prompts", "states"), [(2, 4), (4, 2), (4, 4), (8, 4), (20, 8)])
@pytest.mark.parametrize("deviations", [(1.0, 0.1, 0.3), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0), (0.5, 0.0, 1.0)])
def test_at_least_90_of_100_intervals_hold_the_truth_however_few_the_prompts(
    prompts: int, states: int, deviations: tuple[float, float, float]
) -> None:
    assert coverage(simulated(prompts, states, deviations)) >= 0.90


def test_with_many_prompts_and_states_95_of_100_intervals_hold_the_truth() -> None:
    assert 0.92 <= coverage(simulated(20, 20, (1.0, 1.0, 1.0))) <= 0.98


def test_one_prompt_is_no_reason_to_be_sure_of_others_nor_is_one_random_state() -> None:
    values = np.array([[0.1, 0.3, 0.2, 0.4]])
    for one in (values, values.T):
        found = mean_of(one)
        assert found.value == pytest.approx(0.25)
        assert np.isnan([found.low, found.high]).all()
    prompts, states = witnesses(~np.isnan(values))
    assert why_no_interval(prompts, states) == "one prompt"
    assert why_no_interval(states, prompts) == "one random state"


def test_prompts_of_one_recording_are_one_prompt() -> None:
    values = np.random.default_rng(5).standard_normal((3, 4))
    assert np.isnan(mean_of(values, units=["a.wav"] * 3).low)
    assert np.isfinite(mean_of(values, units=["a.wav", "a.wav", "b.wav"]).low)


@pytest.mark.parametrize(
    ("prompts", "states", "said"), [(0, 0, "no sound"), (1, 1, "one sound"), (2, 2, None), (9, 2, None)]
)
def test_what_is_missing_for_an_interval_is_said(prompts: int, states: int, said: str | None) -> None:
    assert why_no_interval(prompts, states) == said


def test_the_variance_is_that_of_the_mean_squares_of_a_two_way_layout() -> None:
    values = np.random.default_rng(1).standard_normal((5, 4)) + 3 * np.arange(5.0)[:, None]
    by_prompt = values.mean(axis=1).var(ddof=1) * 4
    by_state = values.mean(axis=0).var(ddof=1) * 5
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    left = (rest**2).sum() / (4 * 3)
    expected = max(by_prompt, by_state, by_prompt + by_state - left) / 20
    spread = crossed_spread(values)
    assert spread is not None
    assert spread.variance == pytest.approx(expected)


def test_an_effect_that_differs_between_prompts_alone_has_as_many_witnesses_as_prompts() -> None:
    by_prompt = np.repeat(np.array([0.0, 1.0, 0.0, 1.0])[:, None], 50, axis=1)
    spread = crossed_spread(by_prompt)
    assert spread is not None
    assert spread.variance == pytest.approx(np.var([0, 1, 0, 1], ddof=1) / 4)
    assert spread.degrees == pytest.approx(3.0)


def test_prompts_of_one_recording_are_one_witness() -> None:
    random = np.random.default_rng(4)
    recordings = random.standard_normal((3, 1))
    values = np.repeat(recordings, 4, axis=0) + 0.01 * random.standard_normal((12, 5))
    units = [f"{name}.wav" for name in "abc" for _ in range(4)]
    as_prompts, as_units = crossed_spread(values), crossed_spread(values, units=units)
    assert as_prompts is not None
    assert as_units is not None
    assert as_units.variance == pytest.approx(recordings.var(ddof=1) / 3, rel=0.05)
    assert as_units.degrees == pytest.approx(2.0, abs=0.1)
    assert as_units.variance > 3 * as_prompts.variance
    assert witnesses(~np.isnan(values), units) == (3, 5)


def test_the_value_is_the_score_of_the_means() -> None:
    both = np.array([[[0.5, 0.7], [0.9, 0.3]], [[0.1, 0.1], [0.2, 0.4]]])
    known = everywhere(both)
    assert crossed_interval(linearised(both, transfer_score, known)).value == pytest.approx(0.6 - 0.2)
    assert crossed_interval(linearised(both, retention_score, known)).value == pytest.approx(0.6 / 0.2)


def test_contributions_to_a_ratio_are_its_derivative() -> None:
    both = np.random.default_rng(2).uniform(0.2, 1.0, size=(2, 3, 4))
    found = linearised(both, retention_score, everywhere(both)).values
    nudged = both.copy()
    nudged[:, 1, 2] += 1e-6 * (both[:, 1, 2] - both.mean(axis=(1, 2)))
    value, moved = (retention_score(each.mean(axis=(1, 2))) for each in (both, nudged))
    assert found[1, 2] - value == pytest.approx(12 * (moved - value) / 1e-6, rel=1e-3)


def test_noise_that_twins_share_does_not_widen_the_interval_of_their_difference() -> None:
    shared = np.random.default_rng(0).standard_normal((6, 6)) * 10
    both = np.stack([shared + 0.5, shared])
    estimate = crossed_interval(linearised(both, transfer_score, everywhere(both)))
    assert (estimate.low, estimate.high) == pytest.approx((0.5, 0.5))


def test_cells_that_nobody_measured_are_left_out() -> None:
    values = np.array([[1.0, np.nan], [3.0, 2.0]])
    assert mean_of(values).value == pytest.approx(2.0)
    assert np.isnan(mean_of(np.full((2, 2), np.nan)).value)


@pytest.mark.parametrize("values", [[[0.3]], [[0.3, np.nan], [np.nan, np.nan]]])
def test_a_single_known_cell_has_a_value_and_no_interval(values: list[list[float]]) -> None:
    estimate = mean_of(np.array(values))
    assert estimate.value == 0.3
    assert np.isnan([estimate.low, estimate.high]).all()


def test_an_interval_says_nothing_that_is_impossible() -> None:
    values = Contributions(np.array([[0.1, 0.2], [0.9, 0.8]]))
    estimate = crossed_interval(values, bounds=(0.0, 1.0))
    assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_independent_errors_add_up_and_one_that_is_unknown_leaves_no_interval() -> None:
    one, other = Spread(0.09, 1e9), Spread(0.16, 1e9)
    found = interval_of(1.0, [one, other])
    assert (found.low, found.high) == pytest.approx((1 - 1.959964 * 0.5, 1 + 1.959964 * 0.5), abs=1e-5)
    assert np.isnan(interval_of(1.0, [one, None]).low)


def test_the_reference_of_a_distance_adds_its_own_error() -> None:
    values = np.random.default_rng(3).standard_normal((6, 4))
    alone = crossed_interval(Contributions(values))
    beside = crossed_interval(Contributions(values, np.array([3.0, -3.0, 1.0, -1.0])))
    assert beside.value == alone.value
    assert beside.high - beside.low > 1.5 * (alone.high - alone.low)


def test_a_score_of_means_is_their_first() -> None:
    values = np.array([[[0.2, 0.4]]])
    assert linearised(values, mean_score, everywhere(values)).values == pytest.approx(values[0])
