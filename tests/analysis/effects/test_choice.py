"""Which setting is chosen: transfer under a limit of damage, no drone, and by a scorer that can hear."""

import numpy as np
import pytest

from analysis.effects.choice import (
    DRONE,
    TOO_FEW,
    UNDESCRIBED,
    UNEMBEDDED,
    Choice,
    Damage,
    Limits,
    choose,
    damages_of,
    limit_notes,
)
from analysis.effects.paired_intervals import Estimate
from analysis.effects.records import Effect
from analysis.effects.settings import Pair, Setting

PAIR = Pair("style", "rock", ("jazz",))
Effects = list[Effect]


def named(name: str) -> Setting:
    """A setting, told from others by its method."""
    return Setting(PAIR, name, "resid", (3,), 0.5, "interpolate", "norm", "constant", "none", "conditional")


def effect(
    name: str,
    value: float,
    *,
    random: float,
    unsteered: float,
    scorer: str = "clap",
    metric: str = "transfer",
    measured: str | None = None,
) -> Effect:
    return Effect(
        named(name), "selection", scorer, metric, estimate(value), unsteered, 4, 0, 2, 2,
        measured_class=measured, controls={"random": estimate(random)},
    )  # fmt: skip


def estimate(value: float) -> Estimate:
    return Estimate(value, value, value)


def setting(
    name: str,
    transfer: float,
    *,
    distance: float | None = 5.0,
    random_distance: float = 5.0,
    variation: float | None = 8.0,
    scorer: str = "clap",
) -> Effects:
    """What a setting does where it is chosen; random directions: 5 away from recordings, varying by 8 dB."""
    found = [effect(name, transfer, random=0.0, unsteered=np.nan, scorer=scorer)]
    if distance is not None:
        twins = 4.0 if random_distance == 5.0 else np.nan
        found.append(effect(name, distance, random=random_distance, unsteered=twins, metric="kad_clips"))
    if variation is not None:
        level = {"scorer": "descriptors", "metric": "level", "measured": "mel_variation_db"}
        found.append(effect(name, variation, random=8.0, unsteered=9.0, **level))
    return found


def damages(*settings: Effects, limits: Limits | None = None) -> dict[str, Damage]:
    found = damages_of([each for one in settings for each in one], limits or Limits())
    return {one.method: damage for (one, _), damage in found.items()}


def choice(*settings: Effects, limits: Limits | None = None) -> Choice | None:
    effects, limits = [each for one in settings for each in one], limits or Limits()
    return choose(effects, damages_of(effects, limits), limits, ("clap", "features"))


def chosen(*settings: Effects, limits: Limits | None = None) -> str | None:
    found = choice(*settings, limits=limits)
    return found.setting.method if found and found.setting else None


def test_the_largest_transfer_is_chosen_within_the_limit_of_damage() -> None:
    assert chosen(setting("weak", 0.3), setting("strong", 0.9, distance=9.9)) == "strong"
    assert chosen(setting("weak", 0.3), setting("ruin", 0.9, distance=10.1)) == "weak"
    assert chosen(setting("ruin", 0.9, distance=10.1)) is None


def test_the_limit_is_the_users() -> None:
    settings = setting("weak", 0.3), setting("ruin", 0.9, distance=14.0)
    assert chosen(*settings, limits=Limits(damage_limit=3)) == "ruin"
    assert chosen(*settings, limits=Limits(damage_limit=0)) == "ruin"


def test_a_drone_is_not_chosen_unless_it_is_allowed() -> None:
    settings = setting("weak", 0.3), setting("drone", 0.9, variation=8 * DRONE - 0.1)
    assert chosen(*settings) == "weak"
    assert chosen(*settings, limits=Limits(drones=True)) == "drone"
    assert chosen(setting("weak", 0.3), setting("moves", 0.9, variation=8 * DRONE + 0.1)) == "moves"


def test_what_nobody_has_measured_hinders_nothing() -> None:
    assert chosen(setting("only", 0.5, distance=None, variation=None)) == "only"


def test_where_a_limit_was_not_applied_it_is_said_for_each_reason() -> None:
    unembedded = setting("a", 0.5, distance=None), setting("b", 0.5, distance=None)
    few, rest = setting("c", 0.5, distance=np.nan), setting("e", 0.5, variation=None)
    effects = [one for each in (*unembedded, few, setting("d", 0.5), rest) for one in each]
    limits = Limits()
    found = damages_of(effects, limits)
    assert {one.method: damage.unlimited(limits) for (one, _), damage in found.items()} == {
        **dict.fromkeys("ab", UNEMBEDDED),
        "c": TOO_FEW,
        "d": None,
        "e": UNDESCRIBED,
    }
    assert limit_notes(found, limits) == [
        f"not applied to 2 of 5 settings: {UNEMBEDDED}",
        f"not applied to 1 of 5 settings: {TOO_FEW}",
        f"not applied to 1 of 5 settings: {UNDESCRIBED}",
    ]
    nothing_asked = Limits(damage_limit=0, drones=True)
    assert limit_notes(damages_of(effects, nothing_asked), nothing_asked) == []


def test_a_scorer_that_hears_nothing_does_not_choose() -> None:
    deaf = setting("one", np.nan) + setting("other", np.nan)
    heard = setting("one", 0.2, scorer="features") + setting("other", 0.6, scorer="features")
    assert choice(deaf, heard) == Choice("features", named("other"))
    assert choice(deaf) is None


def test_the_first_of_the_scorers_that_may_choose_does_and_no_other() -> None:
    effects = [*setting("one", 0.6, scorer="mine"), *setting("other", 0.9, scorer="theirs")]
    found = {
        asked: choose(effects, damages_of(effects, Limits()), Limits(), asked)
        for asked in [("mine", "theirs"), ("theirs", "mine"), ("clap", "mine"), ("clap",)]
    }
    assert list(found.values()) == [
        Choice("mine", named("one")), Choice("theirs", named("other")), Choice("mine", named("one")), None
    ]  # fmt: skip


def test_damage_of_a_setting_stands_beside_its_limit() -> None:
    found = damages(setting("drone", 0.9, distance=7.0, variation=1.0))["drone"]
    assert (found.distance, found.limit, found.drone) == (7.0, 10.0, True)


@pytest.mark.parametrize(("random", "limit"), [(-0.4, 2.0), (0.5, 2.0), (3.0, 6.0)])
def test_a_distance_that_is_chance_makes_no_limit_of_nothing(random: float, limit: float) -> None:
    assert damages(setting("one", 0.5, random_distance=random))["one"].limit == limit
