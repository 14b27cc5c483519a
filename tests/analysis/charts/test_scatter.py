"""The Pareto front holds just what nothing beats, and the trade-off chart draws it."""

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.charts.scatter import Trade, TradePath, pareto_front, trade_off_chart

Parse = Callable[[str], Element]
Read = Callable[[Element, str], Callable[[float], float]]
coordinates = st.integers(0, 9).map(float)


@given(st.lists(st.tuples(coordinates, coordinates)))
def test_the_front_is_what_no_other_setting_beats(places: list[tuple[float, float]]) -> None:
    trades = [Trade(x, y, str(n)) for n, (x, y) in enumerate(places)]
    unbeaten = {
        (x, y) for x, y in places if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in places)
    }
    front = pareto_front(trades)
    assert {(trade.x, trade.y) for trade in front} == unbeaten
    assert [trade.x for trade in front] == sorted(trade.x for trade in front)


def test_settings_stand_where_the_axes_say_and_controls_make_no_front(parse: Parse, axis: Read) -> None:
    steered = TradePath(
        "diffmean", [Trade(0.9, 0.1, "α 0.2"), Trade(0.7, 0.5, "α 0.4"), Trade(0.3, 0.4, "α 0.8")]
    )
    random = TradePath("random", [Trade(0.95, 0.9, "α 0.2")], ink="control")
    drawing = parse(
        trade_off_chart("a", "Title", [steered, random], x_name="preservation", y_name="transfer")
    )
    x, y = axis(drawing, "x"), axis(drawing, "y")
    dots = list(drawing.iter("circle"))
    assert [x(float(dot.attrib["cx"])) for dot in dots] == pytest.approx([0.9, 0.7, 0.3, 0.95], abs=0.01)
    assert [y(float(dot.attrib["cy"])) for dot in dots] == pytest.approx([0.1, 0.5, 0.4, 0.9], abs=0.01)
    (front,) = [path for path in drawing.iter("path") if path.get("class") == "front"]
    heights = {round(y(float(end)), 1) for _, end in re.findall(r"([\d.]+) ([\d.]+)", front.attrib["d"])}
    assert heights == {0.5, 0.1, round(y(float(axis_bottom(drawing))), 1)}
    assert "α 0.4: preservation 0.700, transfer 0.500" in str(drawing.findtext("desc"))


def axis_bottom(drawing: Element) -> float:
    return max(float(line.attrib["y1"]) for line in drawing.iter("line") if line.get("class") == "grid")
