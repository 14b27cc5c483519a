"""Colours by role, tables as rows, and the look of intervals and tooltips, shared by all charts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from zlib import crc32

import altair as alt

Ink = Literal["first", "second", "third", "fourth", "control"]
"""Colours by role."""
INKS: Mapping[Ink, str] = {
    "first": "#0b5394",
    "second": "#b45309",
    "third": "#0f766e",
    "fourth": "#86198f",
    "control": "#757a80",
}
"""Four hues that stay apart for every kind of colour vision, and in grey by lightness; grey for controls."""
STRONG: tuple[Ink, ...] = ("first", "second", "third", "fourth")
TEXT, SOFT, PAPER = "#1b1c1e", "#5c6066", "#ffffff"
SHAPES: Mapping[Ink, str] = {
    "first": "circle",
    "second": "square",
    "third": "triangle-up",
    "fourth": "diamond",
    "control": "cross",
}
DASHES: Mapping[Ink, list[int]] = {
    "first": [1, 0],
    "second": [6, 2],
    "third": [3, 2],
    "fourth": [8, 2, 2, 2],
    "control": [2, 2],
}
CHART_HEIGHT = 240
LABEL_LIMIT = 170
DIGITS = ".3f"
HINT = "Shift + wheel zooms, dragging moves, a double click resets."

Chart = alt.Chart | alt.LayerChart
Row = dict[str, Any]
Data = Any
"""An Arrow table, a pandas frame, or rows as dictionaries."""


def rows_of(data: Data) -> list[Row]:
    """The rows of a table as dictionaries; NaN and infinity are None."""
    if hasattr(data, "to_pylist"):
        rows = data.to_pylist()
    elif hasattr(data, "to_dict"):
        rows = data.to_dict(orient="records")
    else:
        rows = data
    return [{name: known(value) for name, value in row.items()} for row in rows]


def known(value: Any) -> Any:
    """The value; None where it is no finite number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def inline(rows: Iterable[Mapping[str, Any]]) -> alt.InlineData:
    """Rows inside the chart, however many they are."""
    return alt.InlineData(values=tuple(dict(row) for row in rows))  # Altair copies lists, deeply and often


def said(value: float | None) -> str:
    """A number in words, as the tables write it."""
    return "–" if value is None else f"{value:.3f}".replace("-", "−")


def interval_said(low: float | None, high: float | None) -> str:
    """An interval in words; "" where there is none."""
    return "" if low is None or high is None else f"{said(low)} to {said(high)}"


def colour_scale(inks: Mapping[str, Ink]) -> alt.Scale:
    """The colour of each series by its role."""
    return alt.Scale(domain=list(inks), range=[INKS[ink] for ink in inks.values()])


def by_series(inks: Mapping[str, Ink]) -> alt.Color:
    """Colours with a legend above the chart, where there is more than one series."""
    return alt.Color("series:N", scale=colour_scale(inks), legend=_legend(inks))


def _legend(inks: Mapping[str, Ink]) -> alt.Legend | None:
    if len(inks) < 2:
        return None
    return alt.Legend(title=None, orient="top", columns=3, labelLimit=150, symbolOpacity=1)


def shapes_by_series(inks: Mapping[str, Ink]) -> alt.Shape:
    """Shapes beside the colours, for eyes that do not tell these."""
    return alt.Shape(
        "series:N",
        scale=alt.Scale(domain=list(inks), range=[SHAPES[ink] for ink in inks.values()]),
        legend=_legend(inks),
    )


def dashes_by_series(inks: Mapping[str, Ink]) -> alt.StrokeDash:
    """Dashes beside the colours, for the same eyes."""
    return alt.StrokeDash(
        "series:N",
        scale=alt.Scale(domain=list(inks), range=[DASHES[ink] for ink in inks.values()]),
        legend=_legend(inks),
    )


def layered(*layers: alt.Chart | alt.LayerChart) -> alt.LayerChart:
    """Charts on top of each other, back to front."""
    made = alt.layer(*layers)
    assert isinstance(made, alt.LayerChart)
    return made


def zoomable(title: str) -> alt.Parameter:
    """Both axes, zoomed by the wheel with Shift alone: a wheel without it scrolls the page."""
    return alt.selection_interval(name=own_name("zoom", title), bind="scales", zoom="wheel![event.shiftKey]")


def own_name(what: str, title: str) -> str:
    """A name of a part of the chart with this title, other than those of charts beside it."""
    return f"{what}_{crc32(title.encode()):08x}"


def tight_domain(values: Iterable[float | None], *, floor: float = -math.inf) -> list[float] | None:
    """The range of the values with a little room, nothing below `floor`; None where nothing is known."""
    finite = [max(value, floor) for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return [low - room, high + room]


def course(name: str, points: Sequence[tuple[float, float]], x_name: str) -> str:
    """One line in words: where it begins, ends, and is highest."""
    best = max(points, key=lambda point: point[1])
    words = [f"{said(y)} at {x_name} {x:g}" for x, y in (points[0], points[-1], best)]
    if len(points) == 1:
        return f"{name}: {words[0]}."
    return f"{name}: from {words[0]} to {words[1]}, highest {words[2]}."
