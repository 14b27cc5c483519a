"""Axes: a few hairlines, round numbers, and the names of what is measured."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from analysis.charts.scales import Frame, tick_text
from analysis.charts.svg import label, line

TICK_GAP = 6.0
BELOW = 14.0
"""From the axis down to the middle of its numbers."""


def horizontal_grid(frame: Frame, ticks: Sequence[float]) -> list[Element]:
    """A hairline and a number for each value of y."""
    left, right = frame.x.start, frame.x.end
    return [
        drawn
        for tick in ticks
        for drawn in (
            line((left, frame.y(tick)), (right, frame.y(tick)), "grid"),
            label(tick_text(tick), (left - TICK_GAP, frame.y(tick)), anchor="end", class_="tick"),
        )
    ]


def vertical_grid(frame: Frame, ticks: Sequence[float]) -> list[Element]:
    """A hairline and a number for each value of x."""
    top, bottom = frame.y.end, frame.y.start
    lines = [line((frame.x(tick), bottom), (frame.x(tick), top), "grid") for tick in ticks]
    return lines + numbers_below(frame, ticks)


def numbers_below(frame: Frame, ticks: Sequence[float]) -> list[Element]:
    """A number for each value of x, without lines."""
    y = frame.y.start + BELOW
    return [label(tick_text(tick), (frame.x(tick), y), anchor="middle", class_="tick") for tick in ticks]


def names(frame: Frame, *, x: str, y: str) -> list[Element]:
    """What is measured: x below the right end of its axis, y above the left end of its own."""
    return [
        label(y, (frame.x.start, frame.y.end - BELOW), class_="axis-name"),
        label(x, (frame.x.end, frame.y.start + 2 * BELOW), anchor="end", class_="axis-name"),
    ]
