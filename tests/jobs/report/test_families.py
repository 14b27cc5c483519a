"""Ways to steer are told apart by what differs, and those that are not drawn are counted."""

from typing import Any

import pytest

from jobs.report.sweeps import families_of, not_drawn, over_what, word_for

COLUMNS = ("layers", "method", "schedule")


def rows(layer: int, schedule: str = "constant", *, transfer: float = 0.1) -> list[dict[str, Any]]:
    """A way to steer, at two strengths."""
    way = {"layers": [layer], "method": "mse", "schedule": schedule, "transfer": transfer}
    return [way | {"alpha": alpha} for alpha in (0.1, 0.2)]


def test_a_way_is_named_by_what_tells_it_from_the_others() -> None:
    assert list(families_of(rows(3), COLUMNS)) == ["mse"]
    assert list(families_of([*rows(3), *rows(4, transfer=0.2)], COLUMNS)) == ["layer 4", "layer 3"]
    assert list(families_of([*rows(3), *rows(3, "linear-up")], COLUMNS)) == ["constant", "linear-up"]
    mixed = [*rows(3), *rows(4), *rows(4, "linear-up")]
    assert list(families_of(mixed, COLUMNS)) == ["layer 3", "layer 4", "layer 4 linear-up"]


@pytest.mark.parametrize(("ways", "said"), [(4, ""), (6, "the 4 ways that reach most, of up to 6")])
def test_ways_beyond_the_inks_are_counted(ways: int, said: str) -> None:
    many = [row for layer in range(ways) for row in rows(layer, transfer=0.1 * layer)]
    assert len(families_of(many, COLUMNS)) == 4
    sentence = not_drawn([many, rows(1)], COLUMNS)
    assert said in sentence
    assert bool(sentence) == bool(said)


def test_a_strength_has_three_digits() -> None:
    assert word_for("alpha", 0.0722754) == "α 0.0723"


@pytest.mark.parametrize(("prompts", "few"), [(1, True), (3, True), (4, False)])
def test_few_sounds_are_said(prompts: int, few: bool) -> None:
    sentence = over_what([{"prompts": prompts, "random_states": 2}, {"prompts": None, "random_states": None}])
    assert ("a first look" in sentence) == few


@pytest.mark.parametrize(
    ("prompts", "states", "said"),
    [(1, 4, "No intervals: 4 random states of one prompt"), (4, 1, "No intervals: 4 prompts at one random")],
)
def test_one_of_a_kind_has_no_interval_and_the_figure_says_so(prompts: int, states: int, said: str) -> None:
    assert over_what([{"prompts": prompts, "random_states": states}]).startswith(said)
