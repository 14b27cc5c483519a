"""Cross effects of planted slopes: rows of classes, of concepts and of the index."""

from typing import Any

import numpy as np
import pytest

from analysis.paired_intervals import Contributions
from jobs.sweeping.designs import Design
from jobs.sweeping.interference import (
    _families,
    _indices,
    _slope_rows,
    _total_rows,
    _why_no_interval,
)
from jobs.sweeping.scores import Scores
from jobs.sweeping.settings import Pair, Setting

PROMPTS, STATES, ALPHAS = 4, 3, (0.25, 0.5)
PAIRS = (Pair("style", "rock", ("jazz",)), Pair("mode", "major", ("minor",)))
SLOPES = {
    ("style", "steered"): {"jazz": 0.8, "rock": -0.8, "minor": 0.2, "major": -0.2},
    ("mode", "steered"): {"jazz": 0.0, "rock": 0.0, "minor": 0.4, "major": -0.4},
    ("style", "random"): {"jazz": 0.1, "rock": -0.1, "minor": -0.06, "major": 0.06},
    ("mode", "random"): {"jazz": 0.0, "rock": 0.0, "minor": 0.1, "major": -0.1},
}
"""By steered concept and role: of each class."""
CONCEPT = {"jazz": "style", "rock": "style", "minor": "mode", "major": "mode"}


@pytest.fixture
def families() -> list[Any]:
    designs, numbers = [], {name: {} for name in CONCEPT}  # type: ignore[var-annotated]
    for pair in PAIRS:
        cells = np.array(
            [[f"{pair.concept}-{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object
        )
        ids: dict[Any, Any] = {("unsteered", None): cells}
        for alpha in ALPHAS:
            setting = Setting(
                pair,
                "diffmean",
                "resid",
                (3,),
                alpha,
                "interpolate",
                "norm",
                "constant",
                "none",
                "conditional",
            )
            for role in ("steered", "random"):
                ids[role, setting] = cells + f"-{role}-{alpha}"
                for name, slope in SLOPES[pair.concept, role].items():
                    numbers[name] |= dict.fromkeys(ids[role, setting].ravel(), 0.3 + alpha * slope)
        for name in CONCEPT:
            numbers[name] |= dict.fromkeys(cells.ravel(), 0.3)
        halves = np.full((PROMPTS, STATES), "choose", dtype=object)
        halves[1::2] = "report"
        designs.append(Design(pair, tuple((text, "") for text in "abcd"), tuple(range(STATES)), halves, ids))
    places = {name: place for place, name in enumerate(numbers["jazz"])}
    values = {
        ("clap", CONCEPT[name], name, "probability"): np.array([found[one] for one in places])
        for name, found in numbers.items()
    }
    scores = Scores(places, values, {}, None, {})
    return [family for design in designs for family in _families(design, scores, sorted(values))]


def test_the_slope_of_every_class_stands_beside_that_of_random_directions(families: list[Any]) -> None:
    rows = {(row["concept"], row["measured_class"]): row for one in families for row in _slope_rows(one)}
    assert len(rows) == 2 * 4
    for (concept, name), row in rows.items():
        assert row["slope"] == pytest.approx(SLOPES[concept, "steered"][name], abs=1e-9)
        assert row["random"] == pytest.approx(SLOPES[concept, "random"][name], abs=1e-9)
        assert row["alphas"] == list(ALPHAS)


def test_a_concept_is_moved_by_half_the_sum_of_the_sizes_of_its_slopes(families: list[Any]) -> None:
    rows = {(row["concept"], row["measured_concept"]): row for one in families for row in _total_rows(one)}
    assert rows["style", "style"]["slope"] == pytest.approx(0.8)
    assert rows["style", "mode"]["slope"] == pytest.approx(0.2)
    assert rows["style", "mode"]["random"] == pytest.approx(0.06)
    assert rows["style", "mode"]["low"] == pytest.approx(0.2)
    assert {row["without_interval"] for row in rows.values()} == {None}


def test_a_slope_of_one_prompt_has_no_interval_and_says_why() -> None:
    slopes = Contributions(np.array([[0.1, 0.2], [np.nan, np.nan]]))
    assert _why_no_interval(slopes, ["a", "b"]) == "one prompt"
    assert _why_no_interval(Contributions(np.ones((2, 2))), ["a.wav", "a.wav"]) == "one prompt"


def test_the_index_of_random_directions_is_what_they_move_of_the_others_over_what_steering_moves(
    families: list[Any],
) -> None:
    (row,) = _indices(families)
    assert (row["scorer"], row.get("concept"), row.get("measured_concept")) == ("clap", None, None)
    assert row["slope"] == pytest.approx(0.2 / (0.8 + 0.4))
    assert row["random"] == pytest.approx(0.06 / (0.8 + 0.4))
    assert row["low"] <= row["slope"] <= row["high"]
    assert list(_indices(families[:1])) == []  # one steered concept has no others
