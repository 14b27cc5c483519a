"""Series of a line chart, with intervals and levels, and the same in words."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Ink = Literal["first", "second", "third", "fourth", "control"]
"""Colours by role; the page's style sheet decides what they look like."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line: y over x, with an interval where there is one. NaN is a gap."""

    name: str
    x: Sequence[float]
    """Ascending."""
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    ink: Ink = "first"

    def values(self) -> Iterator[float]:
        """Every y that the chart must have room for."""
        yield from self.y
        yield from self.low
        yield from self.high

    def segments(self) -> list[list[int]]:
        """Indices of neighbouring points without a gap between them."""
        parts: list[list[int]] = [[]]
        for index, value in enumerate(self.y):
            if math.isfinite(value):
                parts[-1].append(index)
            elif parts[-1]:
                parts.append([])
        return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line to compare with: a baseline that does not depend on x."""

    name: str
    value: float


def describe(series: Sequence[Series], levels: Sequence[Level], *, x_name: str) -> str:
    """One sentence per line: where it begins, ends, and is highest."""
    sentences = [_course(one, x_name) for one in series if one.segments()]
    sentences += [f"{level.name} {level.value:.3f} everywhere." for level in levels]
    return " ".join(sentences) or "No values."


def _course(series: Series, x_name: str) -> str:
    known = [index for segment in series.segments() for index in segment]
    best = max(known, key=lambda index: series.y[index])
    ends = [f"{series.y[index]:.3f} at {x_name} {series.x[index]:g}" for index in (known[0], known[-1], best)]
    if len(known) == 1:
        return f"{series.name}: {ends[0]}."
    return f"{series.name}: from {ends[0]} to {ends[1]}, highest {ends[2]}."
