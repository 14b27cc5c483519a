"""The Pareto front holds just what nothing beats, and its area is that of the places it beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.pareto import Trade, area_below_front, pareto_front

GRID = 10
coordinates = st.integers(0, GRID).map(float)
places = st.lists(st.tuples(coordinates, coordinates))


def trades_at(points: list[tuple[float, float]]) -> list[Trade]:
    return [Trade(x, y, str(number)) for number, (x, y) in enumerate(points)]


@given(places)
def test_the_front_is_what_no_other_setting_beats(points: list[tuple[float, float]]) -> None:
    unbeaten = {
        (x, y) for x, y in points if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points)
    }
    front = pareto_front(trades_at(points))
    assert {(trade.x, trade.y) for trade in front} == unbeaten
    assert [trade.x for trade in front] == sorted(trade.x for trade in front)


@given(places, st.integers(0, 3), st.integers(0, 3))
def test_the_area_is_that_of_the_squares_below_some_setting(
    points: list[tuple[float, float]], x_from: int, y_from: int
) -> None:
    middles = np.arange(GRID) + 0.5
    x, y = np.meshgrid(middles, middles)
    beaten = np.zeros_like(x, dtype=bool)
    for a, b in points:
        beaten |= (x < a) & (y < b)
    expected = (beaten & (x > x_from) & (y > y_from)).sum()
    assert area_below_front(trades_at(points), x_from=x_from, y_from=y_from) == pytest.approx(expected)


def test_a_curve_that_is_better_everywhere_has_more_area() -> None:
    worse, better = ([Trade(0.1 * n, 0.9 - 0.1 * n + lead, "") for n in range(10)] for lead in (0, 0.05))
    assert area_below_front(worse) < area_below_front(better) < 1
