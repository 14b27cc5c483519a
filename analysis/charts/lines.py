"""A line chart: few hairlines, interval bands, and names at the ends of lines instead of a legend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from analysis.charts.scales import Frame, Scale, horizontal_grid, names, numbers_below, round_domain, ticks
from analysis.charts.series import Level, Series, describe
from analysis.charts.svg import Point, drawing, element, hover, line, name_label, path, text_width


def spread(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """New positions at least `gap` apart and within [low, high], least squares from the wanted ones.

    In sorted order, positions minus what the gaps take up must not fall: isotonic regression. Where there
    is no room for all gaps they shrink evenly.
    """
    if not positions:
        return []
    gap = min(gap, (high - low) / max(1, len(positions) - 1))
    order = np.argsort(positions, kind="stable")
    taken = gap * np.arange(len(positions))
    moved = _not_falling(np.asarray(positions, dtype=float)[order] - taken)
    placed = np.clip(moved, low, high - taken[-1]) + taken
    result = np.empty_like(placed)
    result[order] = placed
    return [float(position) for position in result]


def _not_falling(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Isotonic regression by the max-min formula: a handful of labels is not worth loading SciPy's."""
    count = len(values)
    return np.array(
        [
            max(min(values[first : last + 1].mean() for last in range(i, count)) for first in range(i + 1))
            for i in range(count)
        ]
    )


WIDTH, HEIGHT = 360.0, 224.0
TOP, BOTTOM, LEFT = 28.0, 38.0, 34.0
LABEL_GAP, LABEL_HEIGHT, LABEL_WIDTH = 10.0, 14.0, 104.0
RADIUS = 2.4
INSET = 6.0
"""Between the frame and the first and last x."""


@dataclass(frozen=True, slots=True)
class LineChart:
    """What to draw."""

    series: Sequence[Series]
    x_name: str
    y_name: str
    levels: Sequence[Level] = ()
    domain: tuple[float, float] | None = None
    """Of y; charts that are compared share it. By default round numbers around all values."""
    mark: float | None = None
    """An x to point out: the chosen layer."""
    whole_x: bool = True
    """Whether x has whole numbers only."""


def line_chart(name: str, title: str, chart: LineChart) -> str:
    """Draws the chart as inline SVG whose ids begin with `name`."""
    frame = _frame(chart)
    steps = ticks(frame.x.low, frame.x.high, at_most=6, whole=chart.whole_x)
    drawn = horizontal_grid(frame, ticks(frame.y.low, frame.y.high))
    drawn += numbers_below(frame, steps) + names(frame, x=chart.x_name, y=chart.y_name)
    if chart.mark is not None:
        drawn.append(
            line(frame.point(chart.mark, frame.y.low), frame.point(chart.mark, frame.y.high), "mark")
        )
    for level in chart.levels:
        ends = (frame.x.start, frame.y(level.value)), (frame.x.end, frame.y(level.value))
        drawn.append(line(*ends, "level"))
    drawn += [_band(frame, one) for one in chart.series if one.low]
    drawn += [_line(frame, one, chart) for one in chart.series]
    drawn += _end_labels(frame, chart)
    text = describe(chart.series, chart.levels, x_name=chart.x_name)
    return drawing(name, drawn, title=title, description=text, width=WIDTH, height=HEIGHT)


def shared_domain(charts: Sequence[LineChart], *, floor: float = -math.inf) -> tuple[float, float]:
    """A domain of y for charts that are compared; nothing below `floor` widens it."""
    values = [value for chart in charts for one in chart.series for value in one.values()]
    values += [level.value for chart in charts for level in chart.levels]
    return round_domain(max(value, floor) for value in values if math.isfinite(value))


def _frame(chart: LineChart) -> Frame:
    low, high = chart.domain or shared_domain([chart])
    x = [value for one in chart.series for value in one.x] or [0.0]
    first, last = (min(x), max(x)) if min(x) < max(x) else (min(x) - 0.5, max(x) + 0.5)
    label_names = [one.name for one in chart.series] + [level.name for level in chart.levels]
    room = min(LABEL_WIDTH, max(map(text_width, label_names), default=0.0)) + LABEL_GAP
    left, right = LEFT + INSET, WIDTH - room - INSET
    return Frame(x=Scale(first, last, left, right), y=Scale(low, high, HEIGHT - BOTTOM, TOP))


def _band(frame: Frame, series: Series) -> Element:
    areas = []
    for segment in series.segments():
        upper = [frame.point(series.x[index], series.high[index]) for index in segment]
        lower = [frame.point(series.x[index], series.low[index]) for index in segment]
        areas.append(path(upper + lower[::-1], closed=True))
    return element("path", d=" ".join(areas), class_=f"band {series.ink}")


def _line(frame: Frame, series: Series, chart: LineChart) -> Element:
    group = element("g", class_=f"series {series.ink}")
    for segment in series.segments():
        points = [frame.point(series.x[index], series.y[index]) for index in segment]
        group.append(element("path", d=path(points), class_="line"))
        group.extend(_dot(point, series, index, chart) for point, index in zip(points, segment, strict=True))
    return group


def _dot(point: Point, series: Series, index: int, chart: LineChart) -> Element:
    text = f"{series.name}, {chart.x_name} {series.x[index]:g}: {series.y[index]:.3f}"
    if series.low:
        text += f" ({series.low[index]:.3f} to {series.high[index]:.3f})"
    radius = RADIUS * (1.7 if series.x[index] == chart.mark and series.ink != "control" else 1)
    return element("circle", hover(text), cx=point[0], cy=point[1], r=radius, class_="dot")


def _end_labels(frame: Frame, chart: LineChart) -> list[Element]:
    """The name of each line where it ends."""
    ends = [(one.name, str(one.ink), _last(one)) for one in chart.series if one.segments()]
    ends += [(level.name, "level-name", level.value) for level in chart.levels]
    wanted = [frame.y(value) for _, _, value in ends]
    placed = spread(wanted, gap=LABEL_HEIGHT, low=frame.y.end, high=frame.y.start)
    x = frame.x.end + INSET
    return [
        drawn
        for (text, class_, _), start, end in zip(ends, wanted, placed, strict=True)
        for drawn in (
            line((x - 2, start), (x + LABEL_GAP - 6, end), f"leader {class_}"),
            name_label(text, (x + LABEL_GAP - 4, end), LABEL_WIDTH, class_=f"name {class_}"),
        )
    ]


def _last(series: Series) -> float:
    return series.y[series.segments()[-1][-1]]
