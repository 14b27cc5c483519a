"""A dot plot: one row per thing, its value with an interval, and what to compare it with in the same row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from analysis.charts.axes import vertical_grid
from analysis.charts.scales import Frame, Scale, round_domain, ticks
from analysis.charts.svg import drawing, element, hover, label, line, path, shortened, text_width

WIDTH = 370.0
ROW, TOP, BOTTOM = 26.0, 22.0, 26.0
LABEL_WIDTH, GAP = 136.0, 8.0
NUMBER_WIDTH = 36.0
HALF = 5.0


@dataclass(frozen=True, slots=True)
class DotRow:
    """One row; NaN where there is nothing to draw."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    control_low: float = math.nan
    control_high: float = math.nan
    baseline: float = math.nan
    """Drawn as a bar."""
    rival: float = math.nan
    """Drawn as a diamond."""


def dot_plot(
    name: str, title: str, rows: Sequence[DotRow], *, x_name: str, domain: tuple[float, float] | None = None
) -> str:
    """Draws the rows in their order as inline SVG whose ids begin with `name`."""
    low, high = domain or round_domain(value for row in rows for value in _values(row))
    height = TOP + ROW * len(rows) + BOTTOM
    left = GAP + min(LABEL_WIDTH, max((text_width(row.name) for row in rows), default=0.0))
    frame = Frame(
        x=Scale(low, high, left + GAP, WIDTH - NUMBER_WIDTH - GAP), y=Scale(0, 1, height - BOTTOM, TOP)
    )
    drawn = vertical_grid(frame, ticks(low, high, at_most=5))
    drawn.append(label(x_name, (frame.x.start, TOP / 2), class_="axis-name"))
    for index, row in enumerate(rows):
        drawn += _row(frame, row, TOP + ROW * (index + 0.5))
    return drawing(name, drawn, title=title, description=_describe(rows), width=WIDTH, height=height)


def _values(row: DotRow) -> list[float]:
    return [row.value, row.low, row.high, row.control_low, row.control_high, row.baseline, row.rival]


def _row(frame: Frame, row: DotRow, y: float) -> list[Element]:
    """Back to front: control, baseline, rival, interval, value."""
    x = frame.x
    drawn = [label(shortened(row.name, LABEL_WIDTH), (x.start - GAP, y), anchor="end", class_="name")]
    if math.isfinite(row.control_low) and math.isfinite(row.control_high):
        drawn.append(_bar(x(row.control_low), x(row.control_high), y))
    if math.isfinite(row.baseline):
        drawn.append(line((x(row.baseline), y - HALF), (x(row.baseline), y + HALF), "baseline"))
    if math.isfinite(row.rival):
        drawn.append(_diamond(x(row.rival), y))
    if math.isfinite(row.low) and math.isfinite(row.high):
        drawn.append(line((x(row.low), y), (x(row.high), y), "whisker first"))
    if math.isfinite(row.value):
        dot = element("circle", hover(_said(row)), cx=x(row.value), cy=y, r=4.0, class_="dot first")
        drawn += [dot, label(f"{row.value:.3f}".replace("-", "−"), (WIDTH, y), anchor="end", class_="number")]
    return drawn


def _bar(start: float, end: float, y: float) -> Element:
    width = max(2.0, end - start)
    return element("rect", x=start, y=y - HALF, width=width, height=2 * HALF, class_="control-bar")


def _diamond(x: float, y: float) -> Element:
    corners = [(x - HALF, y), (x, y - HALF), (x + HALF, y), (x, y + HALF)]
    return element("path", d=path(corners, closed=True), class_="rival")


def _said(row: DotRow) -> str:
    interval = f" ({row.low:.3f} to {row.high:.3f})" if math.isfinite(row.low) else ""
    return f"{row.name}: {row.value:.3f}{interval}"


def _describe(rows: Sequence[DotRow]) -> str:
    return ". ".join(_said(row) for row in rows if math.isfinite(row.value)) + "."
