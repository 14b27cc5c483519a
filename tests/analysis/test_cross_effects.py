"""Slopes of effects over strength, and the index of interference."""

import numpy as np
import pytest

from analysis.cross_effects import dose_slopes, interference_index
from analysis.paired_intervals import crossed_interval


def test_a_linear_dose_response_has_its_slope() -> None:
    alphas = np.array([0.25, 0.5, 1.0])
    cells = np.array([[0.2, 0.4], [0.6, 0.8]])
    estimate = crossed_interval(dose_slopes(alphas, alphas[:, None, None] * cells))
    assert estimate.value == pytest.approx(0.5)
    assert estimate.low < 0.5 < estimate.high
    assert dose_slopes(alphas, alphas[:, None, None] * cells).cells == pytest.approx(cells)


def test_the_slope_is_least_squares_through_the_origin() -> None:
    alphas = np.array([0.5, 1.0, 2.0])
    changes = np.array([0.3, 0.2, 0.9])
    expected, *_ = np.linalg.lstsq(alphas[:, None], changes, rcond=None)
    found = dose_slopes(alphas, changes[:, None, None]).cells
    assert found == pytest.approx(expected[0])
    assert np.isnan(dose_slopes(np.zeros(3), changes[:, None, None]).cells).all()


def test_directions_that_leave_each_other_alone_do_not_interfere() -> None:
    assert interference_index(np.diag([0.5, -2.0])) == 0.0
    assert interference_index(np.array([[1.0, -0.5], [0.25, 0.5]])) == pytest.approx(0.5)
    assert np.isnan(interference_index(np.zeros((2, 2))))
