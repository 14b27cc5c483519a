"""Rows of dots and cells of matrices have the numbers of their tables."""

from typing import Any

import pytest

from analysis.charts.dots import dots
from analysis.charts.matrix import Sides, matrix, short
from analysis.charts.parts import INKS, PAPER, SOFT, TEXT


def rows_of(chart: dict[str, Any]) -> list[dict[str, Any]]:
    (rows,) = chart["datasets"].values()
    return list(rows)


def test_a_row_has_its_value_interval_and_controls() -> None:
    given = {"name": "style", "value": 0.9, "low": 0.8, "high": 0.95, "rival": 0.7, "control_low": 0.2}
    chart = dots([given], title="Probes", x_name="accuracy").to_dict()
    (row,) = rows_of(chart)
    assert given.items() <= row.items()
    assert row["interval"] == "0.800 to 0.950"
    assert row["rival_said"] == "0.700"
    assert chart["description"] == "Probes. style: 0.900 (0.800 to 0.950)."


def test_rows_stay_in_their_order() -> None:
    chart = dots([{"name": "b", "value": 1.0}, {"name": "a", "value": 2.0}], title="t").to_dict()
    assert chart["layer"][0]["encoding"]["y"]["sort"] == ["b", "a"]


def test_cells_have_their_numbers_signs_and_strength() -> None:
    cells = [
        {"row": "a", "column": "a", "value": 1.0},
        {"row": "a", "column": "b", "value": -0.5},
        {"row": "b", "column": "a", "value": None},
    ]
    chart = matrix(cells, title="Cosines", sides=Sides("one", "other"), order=["a", "b"]).to_dict()
    found = {
        (row["row"], row["column"]): (row["text"], row["sign"], row["strength"]) for row in rows_of(chart)
    }
    assert found == {("a", "a"): ("1", "positive", 1.0), ("a", "b"): ("−.50", "negative", 0.5)}
    assert "Strongest beside the diagonal: a and b −0.500." in chart["description"]


def test_large_matrices_have_no_numbers_that_cover_each_other() -> None:
    names = [f"class {number}" for number in range(40)]
    cells = [{"row": name, "column": name, "value": 1.0} for name in names]
    chart = matrix(cells, title="t", sides=Sides("a", "b")).to_dict()
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["rect"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.484, ".48"), (-0.07, "−.07"), (1.0, "1"), (-1.0, "−1"), (-0.001, ".00"), (4.8, "4.80")],
)
def test_numbers_in_cells_are_short(value: float, text: str) -> None:
    assert short(value) == text


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", [*INKS.values(), TEXT, SOFT])
def test_every_colour_stands_out_from_paper(colour: str) -> None:
    assert (luminance(PAPER) + 0.05) / (luminance(colour) + 0.05) >= 4.3, "text of 11 pixels is in these"
