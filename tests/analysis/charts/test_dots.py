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


def test_a_control_without_an_interval_is_a_point(parse: Parse, axis: Read) -> None:
    rows = [DotRow("few", 0.8, control=0.1), DotRow("many", 0.8, 0.7, 0.9, 0.1, 0.2, control=0.15)]
    drawing = parse(dot_plot("a", "Title", rows, x_name="accuracy", domain=(0, 1)))
    (point,) = [one for one in drawing.iter("circle") if one.get("class") == "control-bar"]
    assert axis(drawing, "x")(float(point.attrib["cx"])) == pytest.approx(0.1, abs=0.002)
    assert len(list(drawing.iter("rect"))) == 1


def test_what_is_unknown_is_not_drawn(parse: Parse) -> None:
    drawing = parse(dot_plot("a", "Title", [DotRow("genre", 0.8)], x_name="accuracy", domain=(0, 1)))
    assert list(drawing.iter("rect")) == []
    drawn = {str(line.get("class")) for line in drawing.iter("line")}
    assert drawn == {"grid"}


def test_each_number_stands_above_its_dot_and_nearer_to_it_than_to_another_row(parse: Parse) -> None:
    drawing = parse(dot_plot("a", "Title", [FULL, DotRow("tempo", 0.25)], x_name="R²", domain=(0, 1)))
    texts = {str(text.text): text for text in drawing.iter("text")}
    for number, dot in zip(("0.800", "0.250"), drawing.iter("circle"), strict=True):
        assert texts[number].attrib["x"] == dot.attrib["cx"]
        assert 8 < float(dot.attrib["cy"]) - float(texts[number].attrib["y"]) < 15
    assert "tempo: 0.250" in str(drawing.findtext("desc"))


def test_marks_have_the_decimals_that_their_scale_needs(parse: Parse) -> None:
    drawing = parse(dot_plot("a", "Title", [DotRow("steered", -61.26)], x_name="rating", decimals=1))
    assert "−61.3" in {text.text for text in drawing.iter("text")}
    assert "steered: -61.3" in str(drawing.findtext("desc"))


def test_a_name_that_is_cut_is_said_whole_to_a_pointer(parse: Parse) -> None:
    long = "a name that is far too long for the room that is left of the axis"
    drawing = parse(dot_plot("a", "Title", [DotRow(long, 0.5), DotRow("short", 0.5)], x_name="R²"))
    cut, whole = (text for text in drawing.iter("text") if text.get("class") == "name")
    assert str(cut.text).endswith("…")
    assert cut.findtext("title") == long
    assert (whole.text, whole.find("title")) == ("short", None)
