"""Settings are chosen on one half of the prompts, and what is told of them comes from the other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from jobs.sweeping import effects
from jobs.sweeping.designs import Design
from jobs.sweeping.scores import Scores
from jobs.sweeping.settings import Pair, Setting

PAIR = Pair("style", "rock", ("jazz",))
LUCKY, STEADY = (
    Setting(PAIR, method, "resid", (3,), 0.5, "interpolate", "norm", "constant", "none", "conditional")
    for method in ("diffmean", "mse")
)
PROMPTS, STATES = 4, 3
Rows = list[dict[str, Any]]
TRANSFERS = {LUCKY: {"choose": 0.5, "report": 0.0}, STEADY: {"choose": 0.3, "report": 0.4}}
"""By setting and half."""


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Effects of two settings, one of which was lucky on the half that decides."""
    return rows_of(monkeypatch, TRANSFERS)


def rows_of(
    monkeypatch: pytest.MonkeyPatch, given: Mapping[Setting, Mapping[str, float]], *, random: float = 0.0
) -> Rows:
    """Effects of settings with these transfers; random directions all have another."""
    monkeypatch.setattr(effects, "_shared_columns", lambda setting, _: {"setting_id": setting.method})
    halves = np.full((PROMPTS, STATES), "choose", dtype=object)
    halves[1::2] = "report"
    names = np.array([[f"{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object)
    ids = {("unsteered", None): "u" + names} | {
        (role, setting): role + setting.method + names for setting in given for role in ("steered", "random")
    }
    design = Design(PAIR, tuple((str(p), "") for p in range(PROMPTS)), tuple(range(STATES)), halves, ids)  # type: ignore[arg-type]
    jazz = dict.fromkeys(ids["unsteered", None].ravel(), 0.1)
    for setting, transfers in given.items():
        for name, half in zip(ids["steered", setting].ravel(), halves.ravel(), strict=True):
            jazz[name] = 0.1 + transfers[half]
        jazz |= dict.fromkeys(ids["random", setting].ravel(), 0.1 + random)
    places = {str(name): place for place, name in enumerate(jazz)}
    values = np.array(list(jazz.values()))
    numbers = {
        ("clap", "style", "jazz", "probability"): values,
        ("clap", "style", "rock", "probability"): 1 - values,
    }
    plan: Any = None
    return effects.effects_of(design, plan, Scores(places, numbers, {}, None, {}))


def test_a_setting_is_chosen_on_one_half_and_told_of_by_the_other(rows: Rows) -> None:
    transfers = {(row["part"], row["setting_id"]): row for row in rows if row["metric"] == "transfer"}
    assert {row["setting_id"] for row in rows if row["chosen"]} == {"diffmean"}
    assert {row["chosen_by"] for row in rows} == {"clap"}
    for setting, expected in TRANSFERS.items():
        for half, value in expected.items():
            assert transfers[half, setting.method]["value"] == pytest.approx(value)
        together = transfers["all", setting.method]
        assert together["value"] == pytest.approx(np.mean(list(expected.values())))
    assert transfers["all", "mse"]["value"] > transfers["all", "diffmean"]["value"]
    assert (transfers["report", "mse"]["cells"], transfers["report", "mse"]["prompts"]) == (6, 2)


@pytest.mark.parametrize(
    ("lucky", "steady", "random", "chosen"),
    [
        (0.5, 0.3, 0.2, {"diffmean"}),
        (0.5, 0.3, -0.9, {"diffmean"}),
        (0.0, -0.1, -0.9, set()),  # what does nothing is no choice, whatever random directions break
        (-0.001, -0.1, -0.9, set()),
        (0.4, 0.3, 0.41, set()),  # nor is what random directions do better
    ],
)
def test_a_setting_is_chosen_only_if_it_does_something_and_more_than_random_directions(
    monkeypatch: pytest.MonkeyPatch, lucky: float, steady: float, random: float, chosen: set[str]
) -> None:
    given = {LUCKY: {"choose": lucky, "report": 0.6}, STEADY: {"choose": steady, "report": 0.7}}
    found = rows_of(monkeypatch, given, random=random)
    assert {row["setting_id"] for row in found if row["chosen"]} == chosen
    assert {row["chosen_by"] for row in found} == {"clap"}
    assert {row["chosen"] for row in found if row["setting_id"] not in chosen} == {False}


def one_row(
    monkeypatch: pytest.MonkeyPatch,
    *,
    absent: dict[str, float],
    prompts: tuple[tuple[str, str], ...] = (("a", ""), ("b", "")),
) -> dict[str, Any]:
    """P(target) of one setting: 0.1 of twins and random sounds, 0.6 of steered ones but those named."""
    monkeypatch.setattr(effects, "_shared_columns", lambda setting, _: {"setting_id": setting.method})
    names = np.array([[f"{p}-{s}" for s in range(2)] for p in range(len(prompts))], dtype=object)
    ids = {("unsteered", None): "u" + names, ("steered", LUCKY): "s" + names, ("random", LUCKY): "r" + names}
    design = Design(PAIR, prompts, (0, 1), np.full(names.shape, "choose", dtype=object), ids)  # type: ignore[arg-type]
    jazz: dict[str, float] = {
        one: 0.6 if one[0] == "s" else 0.1 for block in ids.values() for one in block.ravel()
    } | absent
    places = {name: place for place, name in enumerate(jazz)}
    key = ("clap", "style", "jazz", "probability")
    numbers = {
        key: np.array(list(jazz.values())),
        ("clap", "style", "rock", "probability"): np.ones(len(jazz)),
    }
    plan: Any = None
    found = effects.effects_of(design, plan, Scores(places, numbers, {}, None, {}))
    (row,) = [one for one in found if (one["part"], one["metric"]) == ("all", "target_probability")]
    return row


def test_what_is_compared_is_of_the_same_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    row = one_row(monkeypatch, absent={"s0-0": np.nan, "r0-0": 0.9, "u0-0": 0.9, "r1-1": np.nan, "s1-1": 0.0})
    assert (row["cells"], row["missing"], row["prompts"], row["random_states"]) == (2, 2, 2, 2)
    assert (row["value"], row["random"], row["unsteered"]) == pytest.approx((0.6, 0.1, 0.1))


def test_one_cell_that_is_left_has_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    row = one_row(monkeypatch, absent=dict.fromkeys(("s0-0", "s0-1", "s1-0"), np.nan))
    assert (row["cells"], row["missing"], row["value"]) == (1, 3, pytest.approx(0.6))
    assert {row[f"{name}low"] for name in ("", "random_", "over_random_")} == {None}


def test_a_cell_whose_twin_is_unknown_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    row = one_row(monkeypatch, absent={"u0-0": np.nan, "s0-0": 0.0})
    assert (row["cells"], row["missing"]) == (3, 1)
    assert (row["value"], row["unsteered"]) == pytest.approx((0.6, 0.1))


def test_texts_that_continue_one_recording_are_one_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = (("", "a.wav"), ("slow", "a.wav"), ("", "b.wav"), ("slow", "b.wav"))
    of_b = {f"s{prompt}-{state}": 0.4 for prompt in (2, 3) for state in (0, 1)}
    row = one_row(monkeypatch, absent=of_b, prompts=prompts)
    assert (row["cells"], row["prompts"], row["random_states"]) == (8, 2, 2)
    half = 12.7062 * np.std([0.6, 0.4], ddof=1) / np.sqrt(2)  # Student's t of one degree
    assert row["over_random_low"] == pytest.approx(0.4 - half, rel=1e-4)
