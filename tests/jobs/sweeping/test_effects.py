"""Settings are chosen on one half of the prompts, and what is told of them comes from the other."""

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
TRANSFERS = {LUCKY: {"choose": 0.5, "report": 0.0}, STEADY: {"choose": 0.3, "report": 0.4}}
"""By setting and half."""


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Effects of two settings, one of which was lucky on the half that decides."""
    monkeypatch.setattr(effects, "_shared_columns", lambda setting, _: {"setting_id": setting.method})
    halves = np.full((PROMPTS, STATES), "choose", dtype=object)
    halves[1::2] = "report"
    names = np.array([[f"{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object)
    ids = {("unsteered", None): "u" + names} | {
        ("steered", setting): setting.method + names for setting in TRANSFERS
    }
    design = Design(PAIR, tuple((str(p), "") for p in range(PROMPTS)), tuple(range(STATES)), halves, ids)  # type: ignore[arg-type]
    jazz = dict.fromkeys(ids["unsteered", None].ravel(), 0.1)
    for setting, transfers in TRANSFERS.items():
        for name, half in zip(ids["steered", setting].ravel(), halves.ravel(), strict=True):
            jazz[name] = 0.1 + transfers[half]
    places = {str(name): place for place, name in enumerate(jazz)}
    values = np.array(list(jazz.values()))
    numbers = {
        ("clap", "style", "jazz", "probability"): values,
        ("clap", "style", "rock", "probability"): 1 - values,
    }
    plan: Any = None
    return effects.effects_of(design, plan, Scores(places, numbers, {}, None, {}))


def test_a_setting_is_chosen_on_one_half_and_told_of_by_the_other(rows: list[dict[str, Any]]) -> None:
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
