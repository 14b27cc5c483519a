"""A heat map's cells stand in their rows and columns, as strong as their values."""

import math
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest

from analysis.charts.heat_map import HeatMap, heat_map

Parse = Callable[[str], Element]
NAMES = ("folk", "funk", "metal")
VALUES = ((1.0, -0.5, 0.1), (-0.5, 1.0, math.nan), (0.1, 0.8, 1.0))


def cells(drawing: Element) -> list[Element]:
    return [rect for rect in drawing.iter("rect") if "cell" in str(rect.get("class"))]


def test_cells_are_as_strong_as_their_values_and_signs_have_a_hue_of_their_own(parse: Parse) -> None:
    drawing = parse(heat_map("a", "Title", HeatMap(NAMES, NAMES, VALUES, "one", "other")))
    finite = [value for line in VALUES for value in line if math.isfinite(value)]
    found = cells(drawing)
    assert [float(cell.attrib["fill-opacity"]) for cell in found] == pytest.approx([abs(v) for v in finite])
    assert ["negative" in cell.attrib["class"] for cell in found] == [value < 0 for value in finite]


def test_the_limit_is_the_strongest_colour(parse: Parse) -> None:
    chart = HeatMap(("a",), ("b", "c"), ((2.0, 9.0),), "row", "column", limit=4.0)
    found = cells(parse(heat_map("a", "Title", chart)))
    assert [cell.attrib["fill-opacity"] for cell in found] == ["0.500", "1.000"]


def test_cells_stand_beside_their_names(parse: Parse) -> None:
    drawing = parse(
        heat_map("a", "Title", HeatMap(("up", "down"), ("left", "right"), ((1, 2), (3, 4)), "r", "c"))
    )
    names = {str(text.text): text for text in drawing.iter("text") if text.get("class") == "name"}
    first, second, third, fourth = cells(drawing)
    middle = [float(cell.attrib["y"]) + float(cell.attrib["height"]) / 2 for cell in (first, third)]
    assert middle == pytest.approx([float(names[name].attrib["y"]) for name in ("up", "down")], abs=1)
    centre = [float(cell.attrib["x"]) + float(cell.attrib["width"]) / 2 for cell in (third, fourth)]
    assert centre == pytest.approx([float(names[name].attrib["x"]) for name in ("left", "right")], abs=1)
    assert float(second.attrib["y"]) == float(first.attrib["y"])


def test_every_cell_says_what_it_is(parse: Parse) -> None:
    chart = HeatMap(NAMES, NAMES, VALUES, "actual", "predicted", texts=[["17", "2", "3"]] * 3)
    drawing = parse(heat_map("a", "Title", chart))
    assert cells(drawing)[1].findtext("title") == "actual folk, predicted funk: 2"
    written = [text.text for text in drawing.iter("text") if "cell-text" in str(text.get("class"))]
    assert written == ["17", "2", "3", "17", "2", "17", "2", "3"]


@pytest.mark.parametrize(
    ("columns", "text", "class_"),
    [
        (3, "17", "cell-text on-middle"),
        (10, "−.14", "cell-text on-middle"),
        (8, "−1.14", "cell-text on-middle small"),
        (14, "−11.14", None),
    ],
)
def test_numbers_are_as_large_as_their_cells_allow(
    parse: Parse, columns: int, text: str, class_: str | None
) -> None:
    chart = HeatMap(
        ("a",), [str(n) for n in range(columns)], [[0.5] * columns], "r", "c", texts=[[text] * columns]
    )
    drawing = parse(heat_map("a", "Title", chart))
    written = {str(one.get("class")) for one in drawing.iter("text") if one.text == text}
    assert written == ({class_} if class_ else set())


def test_long_names_are_whole(parse: Parse) -> None:
    names = ("instrument: acoustic guitar − piano", "style: bossa nova")
    drawing = parse(heat_map("a", "Title", HeatMap(names, names, ((1, 0), (0, 1)), "r", "c")))
    assert [text.text for text in drawing.iter("text") if text.get("class") == "name"] == [*names, *names]


def test_numbers_are_left_out_where_they_would_not_fit(parse: Parse) -> None:
    names = [str(n) for n in range(20)]
    chart = HeatMap(names, names, [[0.5] * 20] * 20, "r", "c", texts=[["0.50"] * 20] * 20)
    drawing = parse(heat_map("a", "Title", chart))
    assert len(cells(drawing)) == 400
    assert not [text for text in drawing.iter("text") if "cell-text" in str(text.get("class"))]


def test_the_description_names_the_strongest_pair(parse: Parse) -> None:
    drawing = parse(heat_map("a", "Title", HeatMap(NAMES, NAMES, VALUES, "one", "other")))
    assert "Strongest beside the diagonal: metal and funk 0.80" in str(drawing.findtext("desc"))
