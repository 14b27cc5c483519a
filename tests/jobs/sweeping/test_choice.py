"""Which setting is chosen: transfer under a limit of damage, no drone, and by a scorer that can hear."""

from typing import Any

import pytest

from jobs.sweeping.choice import (
    DRONE,
    TOO_FEW,
    UNDESCRIBED,
    UNHEARD,
    Limits,
    limit_notes,
    with_choice,
    with_damage,
)

Row = dict[str, Any]


def setting(
    name: str,
    transfer: float | None,
    *,
    distance: float | None = 5.0,
    variation: float | None = 8.0,
    scorer: str = "clap",
) -> list[Row]:
    """What a setting does where it is chosen; random directions: 5 away from recordings, varying by 8 dB."""
    common = {"setting_id": name, "part": "choose", "measured_class": None, "random": 0.0, "unsteered": None}
    rows = [common | {"scorer": scorer, "metric": "transfer", "value": transfer}]
    if distance is not None:
        rows.append(
            common
            | {"scorer": "clap", "metric": "kad_clips", "value": distance, "random": 5.0, "unsteered": 4.0}
        )
    if variation is not None:
        rows.append(
            common
            | {"scorer": "descriptors", "metric": "level", "measured_class": "mel_variation_db"}
            | {"value": variation, "random": 8.0, "unsteered": 9.0}
        )
    return rows


def chosen(*settings: list[Row], limits: Limits | None = None) -> str | None:
    limits = limits or Limits()
    rows = with_choice(with_damage([row for one in settings for row in one], limits), limits)
    found = {row["setting_id"] for row in rows if row["chosen"]}
    assert len(found) <= 1
    return next(iter(found), None)


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
    unheard, few = setting("a", 0.5, distance=None) + setting("b", 0.5, distance=None), setting("c", 0.5)
    for row in few:
        row["value"] = None if row["metric"] == "kad_clips" else row["value"]
    rows = with_damage([*unheard, *few, *setting("d", 0.5), *setting("e", 0.5, variation=None)], Limits())
    assert {row["setting_id"]: row["without_limit"] for row in rows} == {
        **dict.fromkeys("ab", UNHEARD),
        "c": TOO_FEW,
        "d": None,
        "e": UNDESCRIBED,
    }
    assert limit_notes(rows) == [
        f"not applied to 2 of 5 settings: {UNHEARD}",
        f"not applied to 1 of 5 settings: {TOO_FEW}",
        f"not applied to 1 of 5 settings: {UNDESCRIBED}",
    ]
    nothing_asked = Limits(damage_limit=0, drones=True)
    assert limit_notes(with_damage([*unheard, *few], nothing_asked)) == []


def test_a_scorer_that_hears_nothing_does_not_choose() -> None:
    deaf = setting("one", None) + setting("other", None)
    heard = setting("one", 0.2, scorer="features") + setting("other", 0.6, scorer="features")
    assert chosen(deaf, heard) == "other"
    rows = with_choice([*deaf, *heard], Limits())
    assert {row["chosen_by"] for row in rows} == {"features"}


def test_damage_stands_in_every_row_of_its_setting() -> None:
    rows = with_damage(setting("drone", 0.9, distance=7.0, variation=1.0), Limits())
    assert {(row["damage"], row["damage_limit"], row["drone"]) for row in rows} == {(7.0, 10.0, True)}


@pytest.mark.parametrize(("random", "limit"), [(-0.4, 2.0), (0.5, 2.0), (3.0, 6.0)])
def test_a_distance_that_is_chance_makes_no_limit_of_nothing(random: float, limit: float) -> None:
    rows = setting("one", 0.5)
    for row in rows:
        if row["metric"] == "kad_clips":
            row |= {"random": random, "unsteered": None}
    assert {row["damage_limit"] for row in with_damage(rows, Limits())} == {limit}
