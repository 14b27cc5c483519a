"""Intervals of FAD: their coverage is simulated, and the jackknife is checked against one written out."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.stats import sem, t

from analysis.effects.audio_distances import FrechetDistance, frechet_distance
from analysis.effects.frechet_intervals import CrossedSounds, frechet_interval
from analysis.effects.paired_intervals import Estimate

Array = NDArray[np.float64]
PAIRS, WIDTH = 3, 16
SWEEPS = 200


def crossed(embeddings: Array) -> CrossedSounds:
    """Embeddings (pairs, P, S, E) as sounds."""
    prompts, states = (
        np.broadcast_to(axis, embeddings.shape[:3]).ravel() for axis in np.indices(embeddings.shape[:3])[1:]
    )
    return CrossedSounds(embeddings.reshape(-1, embeddings.shape[-1]), prompts, states)


def sweep(random: np.random.Generator, prompts: int, states: int) -> tuple[CrossedSounds, CrossedSounds]:
    """Steered sounds and the twins that all pairs share; prompts and random states move both."""

    def normal(*shape: int) -> Array:
        return random.standard_normal((*shape, WIDTH)) / np.sqrt(1 + np.arange(WIDTH))

    twins = normal(1, prompts, 1) + 0.5 * normal(1, 1, states) + 0.5 * normal(1, prompts, states)
    moved = (
        0.5 + 0.5 * normal(1, prompts, 1) + 0.2 * normal(1, 1, states) + 0.3 * normal(PAIRS, prompts, states)
    )
    return crossed(twins + moved), crossed(twins)


def measured(sounds: CrossedSounds, twins: CrossedSounds) -> FrechetDistance:
    found = frechet_distance(sounds.embeddings, twins.embeddings)
    assert found is not None
    return found


def interval(sounds: CrossedSounds, twins: CrossedSounds) -> Estimate:
    return frechet_interval(measured(sounds, twins), sounds, twins)


def without(sounds: CrossedSounds, **group: int) -> Array:
    ((side, place),) = group.items()
    return np.asarray(sounds.embeddings[getattr(sounds, side) != place])


@pytest.mark.parametrize(
    ("prompts", "states", "least"), [(2, 4, 0.85), (4, 2, 0.9), (4, 4, 0.9), (8, 2, 0.92), (8, 4, 0.92)]
)
def test_most_intervals_hold_what_such_sweeps_have_on_average_however_few_the_prompts(
    prompts: int, states: int, least: float
) -> None:
    random = np.random.default_rng(10 * prompts + states)
    found = [interval(*sweep(random, prompts, states)) for _ in range(SWEEPS)]
    truth = np.mean([one.value for one in found])
    assert np.mean([one.low <= truth <= one.high for one in found]) >= least


def test_the_variance_of_each_side_is_the_jackknife_of_the_distance_itself() -> None:
    """With a random state of its own for each prompt, both sides are the same, and count twice."""
    alone = sweep(np.random.default_rng(1), 1, 12)
    sounds, twins = (replace(one, prompts=one.states) for one in alone)
    whole = measured(sounds, twins)
    left = []
    for state in range(12):
        rest, others = (without(one, states=state) for one in (sounds, twins))
        _, _, axes = np.linalg.svd(others - others.mean(axis=0))
        projected = [one @ axes[: whole.dimensions].T for one in (rest, others)]
        (mean, covariance), (other_mean, other) = ((one.mean(axis=0), np.cov(one.T)) for one in projected)
        apart = ((mean - other_mean) ** 2).sum()
        left.append(apart + np.trace(covariance + other - 2 * np.real(sqrtm(covariance @ other))))
    pseudo = 12 * whole.value - 11 * np.array(left)
    low, high = t.interval(0.95, 2 * 11, whole.value, np.sqrt(2) * sem(pseudo))
    found = frechet_interval(whole, sounds, twins)
    assert (found.low, found.high) == pytest.approx((max(low, 0.0), high), rel=1e-5)


@pytest.mark.parametrize("side", ["prompts", "states"])
def test_sounds_of_one_prompt_or_of_one_state_have_a_distance_and_no_interval(side: str) -> None:
    sounds, twins = sweep(np.random.default_rng(2), 4, 6)
    alone = [replace(one, **{side: np.zeros(len(one.states))}) for one in (sounds, twins)]
    found = interval(*alone)
    assert found.value > 0
    assert np.isnan([found.low, found.high]).all()


def test_there_is_no_interval_where_too_few_sounds_are_left_without_one_prompt() -> None:
    sounds, twins = sweep(np.random.default_rng(3), 1, 12)
    uneven = [replace(one, prompts=one.states < 11) for one in (sounds, twins)]
    assert np.isnan(interval(*uneven).low)
