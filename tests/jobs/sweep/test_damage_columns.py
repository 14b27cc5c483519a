"""What a setting costs stands in each of its rows, as it was measured."""

from types import SimpleNamespace
from typing import Any

from analysis.effects.choice import Choice, Damage, Limits
from analysis.effects.effects import PairEffects
from jobs.sweep.tables import _with_choice
from store.results.sweeps import EffectRow

LIMITS = Limits()
COLUMNS = ("damage", "damage_limit", "without_limit", "drone", "chosen", "chosen_by")
MEASURED, UNMEASURED = Damage(3.5, 7.0, drone=True), Damage(None, None, None, was_embedded=True)


def columns(damage: Damage, choice: Choice | None) -> dict[str, object]:
    effect: Any = SimpleNamespace(setting="this", split="evaluation")
    damages: Any = {("this", "evaluation"): damage, ("other", "evaluation"): Damage(1.0, 2.0, drone=False)}
    found = _with_choice(EffectRow(), effect, PairEffects((), damages, choice), LIMITS)
    return {name: getattr(found, name) for name in COLUMNS}


def test_distance_limit_and_drone_are_those_of_the_setting_and_part() -> None:
    chosen = Choice("judge", "this")  # type: ignore[arg-type]
    assert columns(MEASURED, chosen) == {
        "damage": 3.5,
        "damage_limit": 7.0,
        "without_limit": None,
        "drone": True,
        "chosen": True,
        "chosen_by": "judge",
    }


def test_what_nobody_measured_is_null_and_says_why() -> None:
    found = columns(UNMEASURED, Choice("clap", None))
    assert (found["damage"], found["damage_limit"], found["drone"]) == (None, None, None)
    assert found["without_limit"]
    assert found["without_limit"] == UNMEASURED.unlimited(LIMITS)
    assert found["chosen"] is False


def test_where_no_scorer_could_choose_it_is_unknown_whether_the_setting_is_chosen() -> None:
    assert columns(MEASURED, None)["chosen"] is None
