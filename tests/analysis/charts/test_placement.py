"""Labels keep their distance and move no further than a general optimiser would move them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from analysis.charts.lines import spread

LOW, HIGH, GAP = 0.0, 100.0, 14.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(LOW, HIGH), min_size=2, max_size=6))
def test_labels_are_moved_by_least_squares(wanted: list[float]) -> None:
    order = np.argsort(wanted, kind="stable")
    goal = np.array(wanted)[order]
    best = minimize(
        lambda places: float(((places - goal) ** 2).sum()),
        np.linspace(LOW, HIGH, len(wanted)),
        jac=lambda places: 2 * (places - goal),
        bounds=[(LOW, HIGH)] * len(wanted),
        constraints={"type": "ineq", "fun": lambda places: np.diff(places) - GAP},
        options={"ftol": 1e-9},
    )
    placed = np.array(spread(wanted, gap=GAP, low=LOW, high=HIGH))[order]
    assert np.diff(placed).min() >= GAP - 1e-9
    assert LOW - 1e-9 <= placed.min() <= placed.max() <= HIGH + 1e-9
    assert ((placed - goal) ** 2).sum() <= best.fun + 1e-3


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([80.0, 10.0, 40.0], gap=GAP, low=LOW, high=HIGH) == [80.0, 10.0, 40.0]


def test_where_there_is_no_room_the_gaps_shrink_evenly() -> None:
    assert spread([5.0] * 5, gap=50.0, low=LOW, high=HIGH) == pytest.approx([0, 25, 50, 75, 100])


def test_one_label_and_none_need_no_room() -> None:
    assert spread([3.0], gap=GAP, low=LOW, high=HIGH) == [3.0]
    assert spread([], gap=GAP, low=LOW, high=HIGH) == []
