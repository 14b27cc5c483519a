"""Scales map ends to ends, and ticks are round numbers inside the domain."""

import itertools
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.charts.scales import Scale, round_domain, round_step, tick_text, ticks

spans = st.floats(1e-3, 1e4)


def test_a_scale_maps_its_ends_and_what_lies_between() -> None:
    scale = Scale(2.0, 4.0, 100.0, 0.0)
    assert [scale(2.0), scale(3.0), scale(4.0)] == [100.0, 50.0, 0.0]


def test_what_lies_outside_the_domain_is_drawn_at_its_edge() -> None:
    scale = Scale(0.0, 1.0, 0.0, 10.0)
    assert [scale(-3.0), scale(7.0)] == [0.0, 10.0]


@given(low=st.floats(-1e4, 1e4), span=spans, pieces=st.integers(2, 8))
def test_ticks_lie_inside_at_equal_and_round_distances(low: float, span: float, pieces: int) -> None:
    found = ticks(low, low + span, at_most=pieces)
    assert len(found) <= pieces + 1
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)
    step = round_step(span, pieces)
    assert [b - a for a, b in itertools.pairwise(found)] == pytest.approx([step] * (len(found) - 1))
    assert Decimal(f"{step:.6g}").normalize().as_tuple().digits in {(1,), (2,), (5,)}


@given(span=spans, pieces=st.integers(2, 8))
def test_no_smaller_round_step_would_do(span: float, pieces: int) -> None:
    step = round_step(span, pieces)
    smaller = max(s * 10.0**p for s in (1, 2, 5) for p in range(-9, 6) if s * 10.0**p < step * 0.99)
    assert span / step <= pieces * (1 + 1e-6) < span / smaller * (1 + 1e-5)


def test_layers_get_whole_numbers_only() -> None:
    assert ticks(0, 3, at_most=8, whole=True) == [0, 1, 2, 3]
    assert ticks(0, 47, at_most=6, whole=True) == [0, 10, 20, 30, 40]


@given(st.lists(st.floats(-50, 50), min_size=1))
def test_a_round_domain_holds_every_value_between_two_ticks(values: list[float]) -> None:
    low, high = round_domain(values)
    tolerance = 1e-6 * (high - low)
    assert low - tolerance <= min(values) <= max(values) <= high + tolerance
    assert {low, high} <= set(ticks(low, high))


def test_a_domain_ignores_what_is_no_number() -> None:
    assert round_domain([math.nan, math.inf, 0.1, 0.9]) == (0.0, 1.0)
    assert round_domain([math.nan]) == (0.0, 1.0)


def test_a_tick_has_a_true_minus_sign_and_no_noise() -> None:
    assert [tick_text(tick) for tick in ticks(-0.3, 0.3)] == ["−0.2", "0", "0.2"]
