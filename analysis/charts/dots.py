"""A dot plot: one row per thing, its value with an interval, and what to compare it with in the same row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from analysis.charts.scales import Frame, Scale, round_domain, ticks, vertical_grid
from analysis.charts.svg import drawing, element, hover, label, line, name_label, path, text_width

WIDTH = 370.0
ROW, TOP, BOTTOM = 30.0, 26.0, 26.0
LABEL_WIDTH, GAP = 160.0, 8.0
NUMBER_WIDTH = 36.0
HALF = 5.0
ABOVE = 13.0
"""From a dot up to the middle of its number: beside it, it might be read as the rival's."""


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
    control: float = math.nan
    """Drawn as a point where its interval is not known."""


def dot_plot(
    name: str,
    title: str,
    rows: Sequence[DotRow],
    *,
    x_name: str,
    domain: tuple[float, float] | None = None,
    decimals: int = 3,
) -> str:
    """Draws the rows in their order as inline SVG.

    Args:
        name: unique in the page; the ids of the drawing begin with it.
        title: what it is, in a few words.
        rows: from top to bottom.
        x_name: what is measured.
        domain: of x; by default round numbers around all values.
        decimals: of the numbers beside the dots.
    """
    low, high = domain or round_domain(value for row in rows for value in _values(row))
    height = TOP + ROW * len(rows) + BOTTOM
    left = GAP + min(LABEL_WIDTH, max((text_width(row.name) for row in rows), default=0.0))
    frame = Frame(
        x=Scale(low, high, left + GAP, WIDTH - NUMBER_WIDTH / 2), y=Scale(0, 1, height - BOTTOM, TOP)
    )
    drawn = vertical_grid(frame, ticks(low, high, at_most=5))
    drawn.append(label(x_name, (frame.x.start, TOP / 2), class_="axis-name"))
    for index, row in enumerate(rows):
        drawn += _row(frame, row, TOP + ROW * (index + 0.5), decimals)
    said = _describe(rows, decimals)
    return drawing(name, drawn, title=title, description=said, width=WIDTH, height=height)


def _values(row: DotRow) -> list[float]:
    marks = [row.value, row.low, row.high, row.control_low, row.control_high, row.baseline, row.rival]
    return [*marks, row.control]


def _row(frame: Frame, row: DotRow, y: float, decimals: int) -> list[Element]:
    """Back to front: control, baseline, rival, interval, value."""
    x = frame.x
    drawn = [name_label(row.name, (x.start - GAP, y), LABEL_WIDTH, anchor="end")]
    if math.isfinite(row.control_low) and math.isfinite(row.control_high):
        drawn.append(_bar(x(row.control_low), x(row.control_high), y))
    elif math.isfinite(row.control):
        drawn.append(element("circle", cx=x(row.control), cy=y, r=HALF, class_="control-bar"))
    if math.isfinite(row.baseline):
        drawn.append(line((x(row.baseline), y - HALF), (x(row.baseline), y + HALF), "baseline"))
    if math.isfinite(row.rival):
        drawn.append(_diamond(x(row.rival), y))
    if math.isfinite(row.low) and math.isfinite(row.high):
        drawn.append(line((x(row.low), y), (x(row.high), y), "whisker first"))
    if math.isfinite(row.value):
        at = x(row.value)
        said = hover(_said(row, decimals))
        drawn.append(element("circle", said, cx=at, cy=y, r=4.0, class_="dot first"))
        number = f"{row.value:.{decimals}f}".replace("-", "−")
        middle = max(at, x.start + NUMBER_WIDTH / 2)
        drawn.append(label(number, (middle, y - ABOVE), anchor="middle", class_="number first"))
    return drawn


def _bar(start: float, end: float, y: float) -> Element:
    width = max(2.0, end - start)
    return element("rect", x=start, y=y - HALF, width=width, height=2 * HALF, class_="control-bar")


def _diamond(x: float, y: float) -> Element:
    corners = [(x - HALF, y), (x, y - HALF), (x + HALF, y), (x, y + HALF)]
    return element("path", d=path(corners, closed=True), class_="rival")


def _said(row: DotRow, decimals: int) -> str:
    low, high = f"{row.low:.{decimals}f}", f"{row.high:.{decimals}f}"
    interval = f" ({low} to {high})" if math.isfinite(row.low) else ""
    return f"{row.name}: {row.value:.{decimals}f}{interval}"


def _describe(rows: Sequence[DotRow], decimals: int) -> str:
    return ". ".join(_said(row, decimals) for row in rows if math.isfinite(row.value)) + "."
