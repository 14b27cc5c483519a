"""Series from rows of an answer, and a panel per array of a run, shared by the figures over layers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.charts.curves import Curves, small_multiples
from analysis.charts.parts import known
from jobs.report.answers import Row
from jobs.report.page import Panel
from jobs.report.subjects import Subject

FLOOR = -0.25
"""R² of a control may be far below zero; the chart shows what lies above this."""
METRIC_NAMES = {"accuracy": "accuracy", "r2": "R²"}


def series_rows(
    name: str, rows: Iterable[Row], value: str, low: str = "", high: str = "", *, x: str = "layer"
) -> list[dict[str, Any]]:
    """Columns of an answer as the points of one series."""
    return [
        {
            "series": name,
            "x": row[x],
            "y": known(row[value]),
            "low": known(row[low]) if low else None,
            "high": known(row[high]) if high else None,
        }
        for row in rows
    ]


def array_panels(panels: Mapping[tuple[str, str], Curves], subject: Subject) -> tuple[Panel, ...]:
    """A panel per array; in the one with the chosen layer that layer is marked."""
    reductions = {reduction for _, reduction in panels}
    named = {}
    for (site, reduction), one in panels.items():
        chosen = (site, reduction) == (subject.place.site, subject.place.reduction)
        mark = subject.place.layer if chosen else None
        named[site if len(reductions) == 1 else f"{site} · {reduction}"] = replace(
            one, beside=replace(one.beside, mark=mark)
        )
    return curve_panels(named, f"{subject.title} by layer")


def curve_panels(panels: Mapping[str, Curves], title: str) -> tuple[Panel, ...]:
    """Panels on one axis of y, by their titles."""
    return tuple(Panel(chart, name) for name, chart in small_multiples(panels, title=title).items())


def something(points: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any point has a value."""
    return any(point["y"] is not None for point in points)
