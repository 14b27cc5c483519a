"""Pooled damage against distances written out: every sound counts once, and against the unsteered twins."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.effects.audio_distances import frechet_distance
from analysis.effects.effects import pooled_effects
from analysis.effects.pooled import pooled_damage
from analysis.effects.scores import Scores
from analysis.effects.settings import ANYWHERE, Pair, Setting
from analysis.effects.trials import Design, Ids

TO_JAZZ, TO_POP = (Pair("style", "rock", (target,)) for target in ("jazz", "pop"))
SETTING = Setting(
    TO_JAZZ, "diffmean", "resid", (3,), 0.5, "interpolate", "norm", "constant", "none", "conditional"
)
PROMPTS, STATES = 3, 4
SHIFTS = {"unsteered": 0.0, "steered": 2.0, "random": 5.0}


def ids_of(name: str) -> Ids:
    return np.array([[f"{name}-{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object)


def design(pair: Pair) -> Design:
    """Pairs of one source have the same unsteered twins."""
    setting = replace(SETTING, pair=pair)
    ids = {
        ("unsteered", None): ids_of("unsteered"),
        ("steered", setting): ids_of(f"steered-{pair.target}"),
        ("random", setting): ids_of(f"random-{pair.target}"),
    }
    splits = np.full((PROMPTS, STATES), "selection", dtype=object)
    return Design(pair, tuple((text, "") for text in "abc"), tuple(range(STATES)), splits, ids)  # type: ignore[arg-type]


DESIGNS = [design(TO_JAZZ), design(TO_POP)]


@pytest.fixture
def scores() -> Scores:
    names = list(
        dict.fromkeys(one for each in DESIGNS for block in each.ids.values() for one in block.ravel())
    )
    random = np.random.default_rng(0)
    shifts = np.array([SHIFTS[name.split("-")[0]] for name in names])
    embeddings = random.standard_normal((len(names), 3)) + shifts[:, np.newaxis]
    return Scores({name: place for place, name in enumerate(names)}, {}, {}, embeddings, {})


def heard(scores: Scores, *names: str) -> Any:
    return np.concatenate([scores.embedded(ids_of(name).ravel()) for name in names])


def test_twins_that_two_pairs_share_count_once(scores: Scores) -> None:
    (found,) = pooled_damage(DESIGNS, scores)
    expected = frechet_distance(heard(scores, "steered-jazz", "steered-pop"), heard(scores, "unsteered"))
    assert found.distance == expected
    assert expected is not None
    assert found.steered.value == expected.value
    assert found.sounds == 2 * PROMPTS * STATES


def test_a_generation_that_two_settings_share_is_one_sound(scores: Scores) -> None:
    ids = dict(zip(DESIGNS[1].ids, DESIGNS[0].ids.values(), strict=True))
    (found,) = pooled_damage([DESIGNS[0], replace(DESIGNS[1], ids=ids)], scores)
    assert found.sounds == PROMPTS * STATES


def test_steered_and_random_sounds_are_both_compared_with_the_unsteered(scores: Scores) -> None:
    (found,) = pooled_damage(DESIGNS, scores)
    random = frechet_distance(heard(scores, "random-jazz", "random-pop"), heard(scores, "unsteered"))
    assert random is not None
    assert found.random.value == random.value
    assert found.steered.value < random.value / 2


def test_the_pooled_effect_has_the_floor_as_what_is_unsteered(scores: Scores) -> None:
    (found,) = pooled_damage(DESIGNS, scores)
    (one,) = pooled_effects(DESIGNS, scores)
    random = one.control("random")
    assert (one.setting, one.metric) == (replace(SETTING, pair=ANYWHERE), "fad")
    assert (one.value, random, one.unsteered) == (found.steered, found.random, found.distance.floor)
    assert one.unsteered < one.value.value / 2
    assert (one.conditions, one.prompts, one.random_states) == (found.sounds, PROMPTS, STATES)
    assert one.value.low < one.value.value < one.value.high < random.low < random.value < random.high
