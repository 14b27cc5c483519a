"""A line chart, read back by its own axes, says what it was given."""

import itertools
import math
import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from analysis.charts.lines import LineChart, line_chart, shared_domain
from analysis.charts.series import Level, Series

Parse = Callable[[str], Element]
Read = Callable[[Element, str], Callable[[float], float]]
LAYERS = (0, 1, 2, 3, 4, 5)
SCORES = (0.31, 0.42, 0.55, 0.71, 0.68, 0.5)
LOW = tuple(score - 0.06 for score in SCORES)
HIGH = tuple(score + 0.04 for score in SCORES)
CHART = LineChart(
    [
        Series("shuffled", LAYERS, (0.1, 0.12, 0.09, 0.1, 0.11, 0.1), ink="control"),
        Series("MSE probe", LAYERS, SCORES, LOW, HIGH),
    ],
    "layer",
    "accuracy",
    levels=[Level("majority", 0.15)],
    mark=3,
)


def line_groups(drawing: Element) -> dict[str, Element]:
    return {str(group.get("class")): group for group in drawing.iter("g")}


def points(data: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", data)]


def test_dots_stand_where_the_axes_say(parse: Parse, axis: Read) -> None:
    drawing = parse(line_chart("a", "Title", CHART))
    x, y = axis(drawing, "x"), axis(drawing, "y")
    dots = list(line_groups(drawing)["series first"].iter("circle"))
    assert [x(float(dot.attrib["cx"])) for dot in dots] == pytest.approx(LAYERS, abs=0.01)
    assert [y(float(dot.attrib["cy"])) for dot in dots] == pytest.approx(SCORES, abs=0.001)


def test_the_band_runs_along_the_upper_ends_and_back_along_the_lower(parse: Parse, axis: Read) -> None:
    drawing = parse(line_chart("a", "Title", CHART))
    x, y = axis(drawing, "x"), axis(drawing, "y")
    (band,) = [path for path in drawing.iter("path") if path.get("class") == "band first"]
    outline = points(band.attrib["d"])
    assert [x(place) for place, _ in outline] == pytest.approx(LAYERS + LAYERS[::-1], abs=0.01)
    assert [y(place) for _, place in outline] == pytest.approx(HIGH + LOW[::-1], abs=0.001)


def test_a_level_and_the_mark_stand_at_their_values(parse: Parse, axis: Read) -> None:
    drawing = parse(line_chart("a", "Title", CHART))
    lines = {str(line.get("class")): line for line in drawing.iter("line")}
    assert axis(drawing, "y")(float(lines["level"].attrib["y1"])) == pytest.approx(0.15, abs=0.001)
    assert lines["mark"].attrib["x1"] == lines["mark"].attrib["x2"]
    assert axis(drawing, "x")(float(lines["mark"].attrib["x1"])) == pytest.approx(3, abs=0.01)


def test_a_missing_value_is_a_gap(parse: Parse) -> None:
    series = Series("probe", LAYERS, (0.1, 0.2, math.nan, 0.4, 0.5, 0.6))
    drawing = parse(line_chart("a", "Title", LineChart([series], "layer", "accuracy")))
    group = line_groups(drawing)["series first"]
    assert [len(points(path.attrib["d"])) for path in group.iter("path")] == [2, 3]
    assert len(list(group.iter("circle"))) == 5


def test_names_stand_at_the_ends_and_never_on_each_other(parse: Parse) -> None:
    crowd = [Series(f"probe {n}", (0, 1), (0.0, 0.5 + n / 1000)) for n in range(5)]
    drawing = parse(line_chart("a", "Title", LineChart(crowd, "layer", "accuracy")))
    names = {str(text.text): float(text.attrib["y"]) for text in drawing.iter("text") if text.text}
    heights = [names[f"probe {n}"] for n in range(5)]
    gaps = [lower - upper for lower, upper in itertools.pairwise(heights)]
    assert min(gaps) >= 13.9, "higher values have higher names, a line apart"


def test_a_screen_reader_hears_the_course_of_every_line(parse: Parse) -> None:
    drawing = parse(line_chart("a", "Accuracy of genre", CHART))
    assert drawing.get("role") == "img"
    title, description = drawing.find("title"), drawing.find("desc")
    assert title is not None
    assert description is not None
    assert drawing.get("aria-labelledby") == title.get("id")
    assert drawing.get("aria-describedby") == description.get("id")
    assert title.text == "Accuracy of genre"
    expected = "MSE probe: from 0.310 at layer 0 to 0.500 at layer 5, highest 0.710 at layer 3."
    assert expected in str(description.text)
    assert "majority 0.150 everywhere." in str(description.text)


def test_charts_that_are_compared_share_a_domain_that_holds_them_all() -> None:
    other = LineChart([Series("probe", (0, 1), (-3.0, 0.95))], "layer", "R²")
    assert shared_domain([CHART, other], floor=-0.25) == (-0.5, 1.0)
    assert shared_domain([CHART]) == (0.0, 0.8)


def test_one_layer_alone_is_a_dot_in_the_middle(parse: Parse, axis: Read) -> None:
    drawing = parse(line_chart("a", "Title", LineChart([Series("probe", (0,), (0.5,))], "layer", "accuracy")))
    (dot,) = drawing.iter("circle")
    assert axis(drawing, "y")(float(dot.attrib["cy"])) == pytest.approx(0.5, abs=0.01)


def test_names_from_labels_cannot_break_the_drawing(parse: Parse) -> None:
    hostile = '<script>alert("x")</script>&'
    series = Series(hostile, (0, 1), (0.1, 0.2))
    drawing = parse(line_chart("a", hostile, LineChart([series], hostile, hostile)))
    assert list(drawing.iter("script")) == []
    assert drawing.findtext("title") == hostile
