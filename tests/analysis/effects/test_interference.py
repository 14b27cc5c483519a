"""Cross effects of planted slopes: of classes, of concepts, and the index."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.effects.interference import (
    Family,
    class_slopes,
    concept_slopes,
    cross_effects,
    families_of,
    indices,
)
from analysis.effects.paired_intervals import UNKNOWN
from analysis.effects.scores import Scores
from analysis.effects.settings import ANYWHERE, Pair, Setting
from analysis.effects.trials import Design

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
def planted() -> tuple[list[Design], Scores]:
    designs, numbers = [], {name: {} for name in CONCEPT}  # type: ignore[var-annotated]
    for pair in PAIRS:
        values = np.array(
            [[f"{pair.concept}-{p}-{s}" for s in range(STATES)] for p in range(PROMPTS)], dtype=object
        )
        ids: dict[Any, Any] = {("unsteered", None): values}
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
                ids[role, setting] = values + f"-{role}-{alpha}"
                for name, slope in SLOPES[pair.concept, role].items():
                    numbers[name] |= dict.fromkeys(ids[role, setting].ravel(), 0.3 + alpha * slope)
        for name in CONCEPT:
            numbers[name] |= dict.fromkeys(values.ravel(), 0.3)
        splits = np.full((PROMPTS, STATES), "selection", dtype=object)
        splits[1::2] = "evaluation"
        designs.append(Design(pair, tuple((text, "") for text in "abcd"), tuple(range(STATES)), splits, ids))
    places = {name: place for place, name in enumerate(numbers["jazz"])}
    scored = {
        ("clap", CONCEPT[name], name, "probability"): np.array([found[one] for one in places])
        for name, found in numbers.items()
    }
    return designs, Scores(places, scored, {}, None, {})


@pytest.fixture
def families(planted: tuple[list[Design], Scores]) -> list[Family]:
    designs, scores = planted
    return [family for design in designs for family in families_of(design, scores)]


def test_the_slope_of_every_class_stands_beside_that_of_random_directions(families: list[Family]) -> None:
    found = {
        (one.setting.pair.concept, one.measured_class): one for each in families for one in class_slopes(each)
    }
    assert len(found) == 2 * 4
    for (concept, name), one in found.items():
        assert name is not None
        assert one.slope.value == pytest.approx(SLOPES[concept, "steered"][name], abs=1e-9)
        assert one.random.value == pytest.approx(SLOPES[concept, "random"][name], abs=1e-9)
        assert one.alphas == ALPHAS


def test_a_concept_is_moved_by_half_the_sum_of_the_sizes_of_its_slopes(families: list[Family]) -> None:
    found = {
        (one.setting.pair.concept, one.measured_concept): one
        for each in families
        for one in concept_slopes(each)
    }
    assert found["style", "style"].slope.value == pytest.approx(0.8)
    assert found["style", "mode"].slope.value == pytest.approx(0.2)
    assert found["style", "mode"].random.value == pytest.approx(0.06)
    assert found["style", "mode"].slope.low == pytest.approx(0.2)
    assert {one.without_interval for one in found.values()} == {None}


@pytest.mark.parametrize("recordings", ["", "a.wav"])
def test_a_slope_of_one_prompt_has_no_interval_and_says_why(
    planted: tuple[list[Design], Scores], recordings: str
) -> None:
    (design, *_), scores = planted
    unknown = np.array([not name.startswith(("style-0", "style-1")) for name in scores.places])
    known = replace(
        scores, numbers={key: np.where(unknown, np.nan, one) for key, one in scores.numbers.items()}
    )
    texts = ("a", "a", "b", "c") if recordings else ("a", "b", "c", "d")
    sounds = ("a.wav", "a.wav", "b.wav", "b.wav") if recordings else ("",) * 4
    two = replace(design, prompts=tuple(zip(texts, sounds, strict=True)))
    reasons = {one.without_interval for one in cross_effects([two], known)}
    assert reasons == {"one prompt"} if recordings else {None, "one prompt"}


def test_the_index_of_random_directions_is_what_they_move_of_the_others_over_what_steering_moves(
    families: list[Family],
) -> None:
    (index,) = indices(families)
    assert (index.scorer, index.setting.pair, index.measured_concept) == ("clap", ANYWHERE, None)
    assert index.slope.value == pytest.approx(0.2 / (0.8 + 0.4))
    assert index.random.value == pytest.approx(0.06 / (0.8 + 0.4))
    assert index.slope.low <= index.slope.value <= index.slope.high
    assert list(indices(families[:1])) == []  # one steered concept has no others
    (alone,) = indices([replace(family, random={}) for family in families])
    assert alone.random == UNKNOWN


def test_signs_come_from_the_selection_split_and_sizes_from_the_other(families: list[Family]) -> None:
    values = families[0].moved("clap", "steered").by_concept["style"].values
    selected = families[0].design.splits == "selection"
    assert np.isnan(values[selected]).all()
    assert values[~selected] == pytest.approx(0.8)
