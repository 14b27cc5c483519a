"""Settings are chosen on one split of the prompts, and what is told of them comes from the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from analysis.effects.effects import PairEffects, effects_of, interval_notes
from analysis.effects.records import Effect
from analysis.effects.scores import Scores
from analysis.effects.settings import Pair, Role, Setting
from analysis.effects.trials import Design

PAIR = Pair("style", "rock", ("jazz",))
LUCKY, STEADY = (
    Setting(PAIR, method, "resid", (3,), 0.5, "interpolate", "norm", "constant", "none", "conditional")
    for method in ("diffmean", "mse")
)
PROMPTS, STATES = 4, 3
TRANSFERS = {LUCKY: {"selection": 0.5, "evaluation": 0.0}, STEADY: {"selection": 0.3, "evaluation": 0.4}}
"""By setting and split."""


def found(given: Mapping[Setting, Mapping[str, float]], *, random: float = 0.0) -> PairEffects:
    """Effects of settings with these transfers; random directions all have another."""
    splits = np.full((PROMPTS, STATES), "selection", dtype=object)
    splits[1::2] = "evaluation"
    names = np.array([[f"{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object)
    ids: dict[tuple[Role, Setting | None], Any] = {("unsteered", None): "u" + names}
    for setting in given:
        ids["steered", setting] = "steered" + setting.method + names
        ids["random", setting] = "random" + setting.method + names
    design = Design(PAIR, tuple((str(p), "") for p in range(PROMPTS)), tuple(range(STATES)), splits, ids)
    jazz = dict.fromkeys(ids["unsteered", None].ravel(), 0.1)
    for setting, transfers in given.items():
        for name, split in zip(ids["steered", setting].ravel(), splits.ravel(), strict=True):
            jazz[name] = 0.1 + transfers[split]
        jazz |= dict.fromkeys(ids["random", setting].ravel(), 0.1 + random)
    places = {str(name): place for place, name in enumerate(jazz)}
    values = np.array(list(jazz.values()))
    numbers = {
        ("clap", "style", "jazz", "probability"): values,
        ("clap", "style", "rock", "probability"): 1 - values,
    }
    return effects_of(design, Scores(places, numbers, {}, None, {}), ("clap",))


def test_a_setting_is_chosen_on_one_split_and_told_of_by_the_other() -> None:
    told = found(TRANSFERS)
    transfers = {(one.split, one.setting): one for one in told.effects if one.metric == "transfer"}
    assert told.choice is not None
    assert (told.choice.setting, told.choice.scorer) == (LUCKY, "clap")
    for setting, expected in TRANSFERS.items():
        assert {
            part: transfers[part, setting].value.value for part in ("selection", "evaluation")
        } == pytest.approx(expected)
        together = transfers["all", setting]
        assert together.value.value == pytest.approx(np.mean(list(expected.values())))
    assert transfers["all", STEADY].value.value > transfers["all", LUCKY].value.value
    assert (transfers["evaluation", STEADY].conditions, transfers["evaluation", STEADY].prompts) == (6, 2)


@pytest.mark.parametrize(
    ("lucky", "steady", "random", "chosen"),
    [
        (0.5, 0.3, 0.2, LUCKY),
        (0.5, 0.3, -0.9, LUCKY),
        (0.0, -0.1, -0.9, None),  # what does nothing is no choice, whatever random directions break
        (-0.001, -0.1, -0.9, None),
        (0.4, 0.3, 0.41, None),  # nor is what random directions do better
    ],
)
def test_a_setting_is_chosen_only_if_it_does_something_and_more_than_random_directions(
    lucky: float, steady: float, random: float, chosen: Setting | None
) -> None:
    given = {LUCKY: {"selection": lucky, "evaluation": 0.6}, STEADY: {"selection": steady, "evaluation": 0.7}}
    choice = found(given, random=random).choice
    assert choice is not None
    assert (choice.setting, choice.scorer) == (chosen, "clap")


def test_where_no_scorer_has_said_anything_nothing_is_chosen() -> None:
    design = Design(PAIR, (("a", ""),), (0,), np.array([["selection"]], dtype=object), {})
    assert effects_of(design, Scores({}, {}, {}, None, {}), ("clap",)) == PairEffects((), {}, None)


def one_effect(
    *,
    absent: dict[str, float],
    prompts: tuple[tuple[str, str], ...] = (("a", ""), ("b", "")),
) -> Effect:
    """P(target) of one setting: 0.1 of twins and random sounds, 0.6 of steered ones but those named."""
    names = np.array([[f"{p}-{s}" for s in range(2)] for p in range(len(prompts))], dtype=object)
    ids = {("unsteered", None): "u" + names, ("steered", LUCKY): "s" + names, ("random", LUCKY): "r" + names}
    design = Design(PAIR, prompts, (0, 1), np.full(names.shape, "selection", dtype=object), ids)  # type: ignore[arg-type]
    jazz: dict[str, float] = {
        one: 0.6 if one[0] == "s" else 0.1 for block in ids.values() for one in block.ravel()
    } | absent
    places = {name: place for place, name in enumerate(jazz)}
    key = ("clap", "style", "jazz", "probability")
    numbers = {
        key: np.array(list(jazz.values())),
        ("clap", "style", "rock", "probability"): np.ones(len(jazz)),
    }
    told = effects_of(design, Scores(places, numbers, {}, None, {}), ("clap",)).effects
    (one,) = [one for one in told if (one.split, one.metric) == ("all", "target_probability")]
    return one


def test_what_is_compared_is_of_the_same_conditions() -> None:
    one = one_effect(absent={"s0-0": np.nan, "r0-0": 0.9, "u0-0": 0.9, "r1-1": np.nan, "s1-1": 0.0})
    assert (one.conditions, one.missing, one.prompts, one.random_states) == (2, 2, 2, 2)
    assert (one.value.value, one.control("random").value, one.unsteered) == pytest.approx((0.6, 0.1, 0.1))
    assert one.over["random"].value == pytest.approx(0.5)


def test_one_condition_that_is_left_has_no_interval() -> None:
    one = one_effect(absent=dict.fromkeys(("s0-0", "s0-1", "s1-0"), np.nan))
    assert (one.conditions, one.missing) == (1, 3)
    assert one.value.value == pytest.approx(0.6)
    assert np.isnan([one.value.low, one.control("random").low, one.over["random"].low]).all()
    assert one.without_interval == "one sound"


def test_two_states_of_one_prompt_have_no_interval_and_the_summary_says_why() -> None:
    one = one_effect(absent={}, prompts=(("a", ""),))
    assert one.value.value == pytest.approx(0.6)
    assert one.without_interval == "one prompt"
    assert np.isnan([end for each in (one.value, one.over["random"]) for end in (each.low, each.high)]).all()
    both = one_effect(absent={})
    assert both.without_interval is None
    assert both.value.low == both.value.high == pytest.approx(0.6)
    (said,) = interval_notes([one, both])
    assert said.startswith("1 of 2 effects have no interval: one prompt says nothing of others.")


def test_a_condition_whose_twin_is_unknown_does_not_count() -> None:
    one = one_effect(absent={"u0-0": np.nan, "s0-0": 0.0})
    assert (one.conditions, one.missing) == (3, 1)
    assert (one.value.value, one.unsteered) == pytest.approx((0.6, 0.1))


def test_texts_that_continue_one_recording_are_one_prompt() -> None:
    prompts = (("", "a.wav"), ("slow", "a.wav"), ("", "b.wav"), ("slow", "b.wav"))
    of_b = {f"s{prompt}-{state}": 0.4 for prompt in (2, 3) for state in (0, 1)}
    one = one_effect(absent=of_b, prompts=prompts)
    assert (one.conditions, one.prompts, one.random_states) == (8, 2, 2)
    half = 12.7062 * np.std([0.6, 0.4], ddof=1) / np.sqrt(2)  # Student's t of one degree
    assert one.over["random"].low == pytest.approx(0.4 - half, rel=1e-4)
