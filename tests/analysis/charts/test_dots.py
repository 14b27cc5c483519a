"""A dot plot's marks stand where its axis says, and what is unknown is not drawn."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from analysis.charts.dots import DotRow, dot_plot

Parse = Callable[[str], Element]
Read = Callable[[Element, str], Callable[[float], float]]
FULL = DotRow("genre", 0.8, 0.7, 0.85, 0.1, 0.2, baseline=0.15, rival=0.6)


def test_marks_stand_at_their_values(parse: Parse, axis: Read) -> None:
    drawing = parse(dot_plot("a", "Title", [FULL], x_name="accuracy", domain=(0, 1)))
    x = axis(drawing, "x")
    (dot,), (bar,) = drawing.iter("circle"), drawing.iter("rect")
    lines = {str(line.get("class")): line for line in drawing.iter("line")}
    assert x(float(dot.attrib["cx"])) == pytest.approx(0.8, abs=0.002)
    whisker = lines["whisker first"]
    assert [x(float(whisker.attrib[end])) for end in ("x1", "x2")] == pytest.approx([0.7, 0.85], abs=0.002)
    assert x(float(lines["baseline"].attrib["x1"])) == pytest.approx(0.15, abs=0.002)
    start, width = float(bar.attrib["x"]), float(bar.attrib["width"])
    assert [x(start), x(start + width)] == pytest.approx([0.1, 0.2], abs=0.002)


def test_what_is_unknown_is_not_drawn(parse: Parse) -> None:
    drawing = parse(dot_plot("a", "Title", [DotRow("genre", 0.8)], x_name="accuracy", domain=(0, 1)))
    assert list(drawing.iter("rect")) == []
    drawn = {str(line.get("class")) for line in drawing.iter("line")}
    assert drawn == {"grid"}


def test_each_row_has_its_number_on_its_own_line(parse: Parse) -> None:
    drawing = parse(dot_plot("a", "Title", [FULL, DotRow("tempo", -0.25)], x_name="R²"))
    heights = {str(text.text): text.attrib["y"] for text in drawing.iter("text")}
    assert heights["genre"] == heights["0.800"] != heights["tempo"] == heights["−0.250"]
    assert "tempo: -0.250" in str(drawing.findtext("desc"))
