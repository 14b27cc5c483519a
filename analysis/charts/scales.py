"""Linear scales from values to pixels, and round numbers to put beside them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from analysis.charts.svg import Point, label, line

STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map; values outside the domain are drawn at its edge."""

    low: float
    high: float
    start: float
    """Pixel of `low`."""
    end: float
    """Pixel of `high`."""

    def __call__(self, value: float) -> float:
        fraction = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + fraction * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle in which data are drawn, with its two scales."""

    x: Scale
    y: Scale

    def point(self, x: float, y: float) -> Point:
        return self.x(x), self.y(y)


def round_step(span: float, at_most: int) -> float:
    """The smallest of … 0.1, 0.2, 0.5, 1, 2, 5 … that cuts a span into no more than `at_most` pieces."""
    rough = span / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))


def ticks(low: float, high: float, *, at_most: int = 5, whole: bool = False) -> list[float]:
    """Round numbers from `low` to `high`, at most `at_most` + 1 of them.

    Args:
        low: lower end.
        high: upper end, above `low`.
        at_most: pieces that the range is cut into.
        whole: only whole numbers, for layers.
    """
    step = round_step(high - low, at_most)
    step = max(step, 1.0) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def round_domain(values: Iterable[float], *, at_most: int = 5) -> tuple[float, float]:
    """A tight domain that holds all finite values and ends on ticks of its own; (0, 1) if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if math.isclose(low, high, abs_tol=1e-9):
        low, high = low - 0.5, high + 0.5
    while (wider := _outward(low, high, round_step(high - low, at_most))) != (low, high):
        low, high = wider  # a wider span may want a longer step
    return low, high


def _outward(low: float, high: float, step: float) -> tuple[float, float]:
    """The nearest multiples of a step below and above."""
    return round(math.floor(low / step + 1e-9) * step, 12), round(math.ceil(high / step - 1e-9) * step, 12)


def tick_text(value: float) -> str:
    """A tick's number with a true minus sign."""
    return f"{value:g}".replace("-", "−")


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
