"""The trade-off chart draws settings where its axes say, and the front of those that nothing beats."""

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from analysis.charts.scatter import TradePath, trade_off_chart
from analysis.pareto import Trade

Parse = Callable[[str], Element]
Read = Callable[[Element, str], Callable[[float], float]]


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


def test_the_first_path_has_its_strengths_beside_its_settings_unless_they_would_cover_each_other(
    parse: Parse,
) -> None:
    trades = [Trade(0.9, 0.1, "α 0.1"), Trade(0.899, 0.11, "α 0.2"), Trade(0.3, 0.8, "α 0.8")]
    paths = [TradePath("layer 4", trades), TradePath("layer 5", trades, ink="second")]
    drawing = parse(trade_off_chart("a", "Title", paths, x_name="preservation", y_name="transfer"))
    points = {str(text.text): text for text in drawing.iter("text") if text.get("class") == "point"}
    assert list(points) == ["α 0.1", "α 0.8"]
    dots = list(drawing.iter("circle"))
    for text, dot in ((points["α 0.1"], dots[0]), (points["α 0.8"], dots[2])):
        assert 0 < float(text.attrib["x"]) - float(dot.attrib["cx"]) < 10
        assert 0 < float(dot.attrib["cy"]) - float(text.attrib["y"]) < 10


def axis_bottom(drawing: Element) -> float:
    return max(float(line.attrib["y1"]) for line in drawing.iter("line") if line.get("class") == "grid")


def test_intervals_are_crosses_through_their_setting(parse: Parse, axis: Read) -> None:
    trade = Trade(0.5, 0.4, "α 0.2", x_interval=(0.3, 0.6), y_interval=(0.1, 0.8))
    path = TradePath("diffmean", [trade])
    drawing = parse(trade_off_chart("a", "Title", [path], x_name="preservation", y_name="transfer"))
    x, y = axis(drawing, "x"), axis(drawing, "y")
    wide, high = [line.attrib for line in drawing.iter("line") if line.get("class") == "interval first"]
    assert [x(float(wide[end])) for end in ("x1", "x2")] == pytest.approx([0.3, 0.6], abs=0.01)
    assert [y(float(wide[end])) for end in ("y1", "y2")] == pytest.approx([0.4, 0.4], abs=0.01)
    assert [x(float(high[end])) for end in ("x1", "x2")] == pytest.approx([0.5, 0.5], abs=0.01)
    assert [y(float(high[end])) for end in ("y1", "y2")] == pytest.approx([0.1, 0.8], abs=0.01)
