"""Curves show what was measured, and nothing between it."""

import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from analysis.charts.curves import Axes, Beside, Curves, curves, small_multiples

POINTS: list[dict[str, Any]] = [
    {"series": "probe", "x": layer, "y": 0.99 + layer / 1000, "low": 0.98, "high": 1.0} for layer in (1, 3, 5)
]
SHUFFLED = [{"series": "shuffled", "x": layer, "y": 0.5} for layer in (1, 3, 5)]
INKS: Any = {"probe": "first", "shuffled": "control"}


def rows_of(chart: dict[str, Any], series: str) -> list[tuple[int, Any]]:
    rows = (row for rows in chart["datasets"].values() for row in rows)
    return [(row["x"], row["y"]) for row in rows if row.get("series") == series]


def domain_of(chart: dict[str, Any]) -> list[float]:
    lines = chart["layer"][-1]["layer"]
    found: list[float] = lines[0]["encoding"]["y"]["scale"]["domain"]
    return found


def test_layers_that_were_not_measured_are_gaps_and_not_lines() -> None:
    chart = curves(POINTS, title="Probe").to_dict()
    assert rows_of(chart, "probe") == [(1, 0.991), (2, None), (3, 0.993), (4, None), (5, 0.995)]


def test_strengths_between_whole_numbers_have_no_gaps() -> None:
    points = [{"x": 0.1, "y": 1.0}, {"x": 3.0, "y": 2.0}]
    assert rows_of(curves(points, title="t", axes=Axes(whole_x=False)).to_dict(), "") == [
        (0.1, 1.0),
        (3.0, 2.0),
    ]


def test_an_axis_shows_the_differences_and_says_what_it_leaves_out() -> None:
    chart = curves([*POINTS, *SHUFFLED], title="Probe", inks=INKS, beside=Beside({"majority": 0.4})).to_dict()
    low, high = domain_of(chart)
    assert 0.97 < low < high < 1.01
    assert chart["title"]["text"] == "Off the axis: majority 0.400, shuffled 0.500"


def test_an_axis_holds_its_controls_where_there_is_room() -> None:
    spread = [point | {"y": point["x"] / 6, "low": None, "high": None} for point in POINTS]
    chart = curves([*spread, *SHUFFLED], title="Probe", inks=INKS, beside=Beside({"majority": 0.4})).to_dict()
    low, high = domain_of(chart)
    assert low < 1 / 6 < 5 / 6 < high
    assert "title" not in chart


def test_panels_share_their_axis() -> None:
    panels = {
        name: Curves([{"series": "a", "x": 1, "y": y}], {"a": "first"}, Axes(), Beside())
        for name, y in (("resid", 1.0), ("mlp", 3.0))
    }
    one, other = (domain_of(chart.to_dict()) for chart in small_multiples(panels, title="t").values())
    assert one == other
    assert one[0] < 1.0
    assert one[1] > 3.0


@pytest.mark.parametrize("table", [pa.Table.from_pylist, pd.DataFrame, list])
def test_arrow_pandas_and_rows_give_the_same_chart(table: Any) -> None:
    assert curves(table(POINTS), title="t").to_dict() == curves(POINTS, title="t").to_dict()


def test_what_is_no_number_is_a_gap() -> None:
    chart = curves([{"x": 0, "y": math.nan}, {"x": 1, "y": 1.0}], title="t").to_dict()
    assert rows_of(chart, "") == [(0, None), (1, 1.0)]


def test_a_chart_is_described_in_words() -> None:
    chart = curves([*POINTS, *SHUFFLED], title="Probe of style", beside=Beside({"mel": 0.7})).to_dict()
    assert chart["description"] == (
        "Probe of style. probe: from 0.991 at layer 1 to 0.995 at layer 5, highest 0.995 at layer 5. "
        "shuffled: from 0.500 at layer 1 to 0.500 at layer 5, highest 0.500 at layer 1. mel 0.700 everywhere."
    )


def test_a_chart_without_any_value_is_none_the_less_a_chart() -> None:
    assert curves([], title="t").to_dict()["description"] == "t."
