"""A trade-off chart: what is gained against what is kept, and the settings that nothing beats."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from analysis.charts.lines import spread
from analysis.charts.scales import Frame, Scale, horizontal_grid, names, round_domain, ticks, vertical_grid
from analysis.charts.series import Ink
from analysis.charts.svg import (
    Point,
    drawing,
    element,
    hover,
    label,
    line,
    name_label,
    path,
    text_width,
)
from analysis.pareto import Trade, pareto_front

WIDTH, HEIGHT = 370.0, 270.0
TOP, BOTTOM, LEFT = 28.0, 40.0, 38.0
LABEL_WIDTH, LABEL_GAP, LABEL_HEIGHT = 104.0, 12.0, 14.0
INSET = 8.0
POINT_GAP = 7.0
"""From a setting to its name, right and up: where the front is not, as nothing beats what is on it."""


@dataclass(frozen=True, slots=True)
class TradePath:
    """Settings that differ in one number, in its order."""

    name: str
    trades: Sequence[Trade]
    ink: Ink = "first"


def trade_off_chart(name: str, title: str, paths: Sequence[TradePath], *, x_name: str, y_name: str) -> str:
    """Draws the paths and their common Pareto front as inline SVG whose ids begin with `name`."""
    every = [trade for one in paths for trade in one.trades]
    front = pareto_front([trade for one in paths if one.ink != "control" for trade in one.trades])
    frame = _frame(paths, every)
    drawn = horizontal_grid(frame, ticks(frame.y.low, frame.y.high))
    drawn += vertical_grid(frame, ticks(frame.x.low, frame.x.high, at_most=4)) + names(
        frame, x=x_name, y=y_name
    )
    drawn.append(element("path", d=path(_stairs(frame, front)), class_="front"))
    drawn += [bar for one in paths for trade in one.trades for bar in _intervals(frame, trade, one.ink)]
    drawn += [_path(frame, one) for one in paths]
    drawn += _strengths(frame, paths[0].trades if paths else ())
    drawn += _labels(frame, paths)
    return drawing(
        name, drawn, title=title, description=_describe(front, x_name, y_name), width=WIDTH, height=HEIGHT
    )


def _frame(paths: Sequence[TradePath], every: Sequence[Trade]) -> Frame:
    room = min(LABEL_WIDTH, max((text_width(one.name) for one in paths), default=0.0)) + LABEL_GAP
    x_low, x_high = round_domain(x for trade in every for x in (trade.x, *(trade.x_interval or ())))
    y_low, y_high = round_domain(y for trade in every for y in (trade.y, *(trade.y_interval or ())))
    return Frame(
        x=Scale(x_low, x_high, LEFT + INSET, WIDTH - room - INSET),
        y=Scale(y_low, y_high, HEIGHT - BOTTOM, TOP),
    )


def _stairs(frame: Frame, front: Sequence[Trade]) -> list[Point]:
    """What the front reaches: level to the left of its first setting, then down at each."""
    corners = [(frame.x.start, frame.y(front[0].y))] if front else [(frame.x.start, frame.y.start)]
    for here, following in zip(front, [*front[1:], None], strict=True):
        corners.append(frame.point(here.x, here.y))
        corners.append((frame.x(here.x), frame.y(following.y) if following else frame.y.start))
    return corners


def _intervals(frame: Frame, trade: Trade, ink: Ink) -> list[Element]:
    """A cross of the two intervals, where they are known."""
    bars = []
    if trade.x_interval:
        low, high = trade.x_interval
        bars.append(line(frame.point(low, trade.y), frame.point(high, trade.y), f"interval {ink}"))
    if trade.y_interval:
        low, high = trade.y_interval
        bars.append(line(frame.point(trade.x, low), frame.point(trade.x, high), f"interval {ink}"))
    return bars


def _path(frame: Frame, trades: TradePath) -> Element:
    points = [frame.point(trade.x, trade.y) for trade in trades.trades]
    group = element("g", element("path", d=path(points), class_="line"), class_=f"series {trades.ink}")
    for trade, (x, y) in zip(trades.trades, points, strict=True):
        said = hover(f"{trades.name}, {trade.name}: {trade.x:.3f}, {trade.y:.3f}")
        group.append(element("circle", said, cx=x, cy=y, r=3.2, class_="dot"))
    return group


def _strengths(frame: Frame, trades: Sequence[Trade]) -> list[Element]:
    """The names of a path's settings beside them, where they don't cover each other."""
    drawn: list[Element] = []
    free: list[Point] = []
    for trade in trades:
        x, y = frame.point(trade.x, trade.y)
        width = text_width(trade.name)
        if all(abs(x - other) > width or abs(y - above) > LABEL_HEIGHT for other, above in free):
            free.append((x, y))
            drawn.append(label(trade.name, (x + POINT_GAP, y - POINT_GAP), class_="point"))
    return drawn


def _labels(frame: Frame, paths: Sequence[TradePath]) -> list[Element]:
    """The name of each path beside the frame, led to its nearest end."""
    ended = [one for one in paths if one.trades]
    nearest = [max(one.trades[0], one.trades[-1], key=lambda trade: trade.x) for one in ended]
    ends = [frame.point(trade.x, trade.y) for trade in nearest]
    placed = spread([y for _, y in ends], gap=LABEL_HEIGHT, low=frame.y.end, high=frame.y.start)
    x = frame.x.end + INSET
    drawn = []
    for one, end, y in zip(ended, ends, placed, strict=True):
        drawn.append(line((end[0] + 4, end[1]), (x + 2, y), f"leader {one.ink}"))
        drawn.append(name_label(one.name, (x + 5, y), LABEL_WIDTH, class_=f"name {one.ink}"))
    return drawn


def _describe(front: Sequence[Trade], x_name: str, y_name: str) -> str:
    points = "; ".join(f"{trade.name}: {x_name} {trade.x:.3f}, {y_name} {trade.y:.3f}" for trade in front)
    return f"Settings that no other beats: {points}." if points else "No settings."
