"""Panels become one chart that a notebook shows and saves."""

import json
import re

import vl_convert

from analysis.charts.curves import Axes, curves
from analysis.charts.parts import Chart
from analysis.charts.side_by_side import side_by_side


def line(y: float) -> Chart:
    return curves([{"x": 1, "y": y}, {"x": 2, "y": 2 * y}], title=f"{y}")


def test_panels_stand_side_by_side_with_their_titles() -> None:
    whole = side_by_side({"resid": line(1.0), "mlp": line(5.0)}).to_dict()
    assert [panel["title"] for panel in whole["concat"]] == ["resid", "mlp"]
    svg = vl_convert.vegalite_to_svg(json.dumps(whole))
    assert "resid" in svg
    assert "mlp" in svg


def test_one_chart_alone_can_be_changed() -> None:
    changed = side_by_side({"": line(1.0)}).properties(title="mine").to_dict()
    assert changed["title"] == "mine"
    assert changed["width"] == 320


def test_panels_that_look_alike_keep_their_own_paths() -> None:
    alike = {
        name: curves([{"x": 1, "y": y, "low": 0.0, "high": 9.0}], title=name, axes=Axes(domain=(0, 9)))
        for name, y in (("resid", 1.0), ("mlp", 5.0))
    }
    vega = json.dumps(vl_convert.vegalite_to_vega(json.dumps(side_by_side(alike).to_dict())))
    paths = re.findall(r'"facet": \{"name": "([^"]+)"', vega)
    assert len(paths) == len(set(paths)) == 2 * 2, "a band and a line of each"
