"""Schedules of an edit over time: φ(t) and gates, written as a short text.

    constant                     1 throughout; the same as no schedule
    linear-up[:SECONDS]          from 0 to 1 over SECONDS, by default over the whole generation
    linear-down[:SECONDS]        1 minus that; two directions with the one and the other cross-fade
    exponential[:RATE]           RATE to the power of t, by default 0.998 per frame
    window:START-STOP            1 from START to STOP seconds, else 0; either may be left out
    every:N                      1 at every N-th frame, else 0
    bernoulli:P[:RANDOM_STATE]   1 with probability P at each frame, by its own random state

Factors are joined by commas: "linear-down,every:5". t counts generated frames from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import InvalidInput

Strengths = NDArray[np.float64]

EXPONENTIAL_RATE = 0.998
"""Per frame at 50 frames a second, as in MusicRFM (arXiv:2510.19127)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of a generation."""

    t: NDArray[np.int64]
    """Frame positions; 0 is the first that may be edited. None is negative."""
    frames: int
    """T of the part that may be edited: what a ramp without a length spans."""
    frame_rate: float
    """Frames per second."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A product of factors; `str` gives the text back that `parse_schedule` reads."""

    factors: tuple[tuple[str, tuple[float | None, ...]], ...] = ()

    def __str__(self) -> str:
        return ",".join(_written(name, values) for name, values in self.factors) or "constant"

    def strengths(self, clock: Clock) -> Strengths:
        """φ(t)·gate(t), one number per position of the clock."""
        result = np.ones(len(clock.t))
        for name, values in self.factors:
            result *= _FACTORS[name].at(clock, *values)
        return result


CONSTANT = Schedule()


def parse_schedule(text: str) -> Schedule:
    """Read a schedule such as "linear-down:4,every:5".

    Raises:
        InvalidInput: A factor is unknown, or its numbers are not legal.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return Schedule(tuple(_factor(part) for part in parts if part != "constant"))


def crossfade(seconds: float | None = None) -> tuple[Schedule, Schedule]:
    """Two schedules that add up to 1: of the direction that fades, and of the one that takes over."""
    length = () if seconds is None else (seconds,)
    return Schedule((("linear-down", length),)), Schedule((("linear-up", length),))


@dataclass(frozen=True, slots=True)
class _Factor:
    at: Callable[..., Any]
    """From a clock and numbers to strengths."""
    least: int
    """Fewest numbers it takes."""
    most: int
    legal: Callable[..., bool]
    cure: str


def _factor(part: str) -> tuple[str, tuple[float | None, ...]]:
    name, _, rest = part.partition(":")
    if name not in _FACTORS:
        raise InvalidInput(
            f"A schedule knows no {name!r}. Choose from constant, {', '.join(_FACTORS)}; commas join several."
        )
    factor = _FACTORS[name]
    values = _numbers(rest.split("-") if name == "window" else rest.split(":") if rest else [])
    if (
        values is None
        or not factor.least <= len(values) <= factor.most
        or not (all(value is None or math.isfinite(value) for value in values) and factor.legal(*values))
    ):
        raise InvalidInput(f"The schedule {part!r} cannot be read: {factor.cure}.")
    return name, values


def _numbers(texts: list[str]) -> tuple[float | None, ...] | None:
    try:
        return tuple(float(text) if text else None for text in texts)
    except ValueError:
        return None


def _written(name: str, values: tuple[float | None, ...]) -> str:
    numbers = ("-" if name == "window" else ":").join("" if v is None else _digits(v) for v in values)
    return f"{name}:{numbers}" if values else name


def _digits(value: float) -> str:
    """The fewest that give the number back, without an exponent: its minus would part a window."""
    return np.format_float_positional(value, trim="-")


def _linear_up(clock: Clock, seconds: float | None = None) -> Strengths:
    length = max(clock.frames - 1, 1) if seconds is None else seconds * clock.frame_rate
    return np.clip(clock.t / length, 0.0, 1.0)


def _linear_down(clock: Clock, seconds: float | None = None) -> Strengths:
    return 1.0 - _linear_up(clock, seconds)


def _exponential(clock: Clock, rate: float = EXPONENTIAL_RATE) -> Strengths:
    return np.power(rate, clock.t.astype(np.float64))


def _window(clock: Clock, start: float | None, stop: float | None) -> NDArray[np.bool_]:
    seconds = clock.t / clock.frame_rate
    return (seconds >= (start or 0.0)) & (seconds < (math.inf if stop is None else stop))


def _every(clock: Clock, frames: float) -> NDArray[np.bool_]:
    return np.equal(clock.t % int(frames), 0)


def _bernoulli(clock: Clock, probability: float, random_state: float = 0) -> NDArray[np.bool_]:
    """The draw of a frame depends on its position alone, not on how many frames are asked for at once."""
    draws = np.random.Generator(np.random.Philox(key=int(random_state))).random(
        int(clock.t.max(initial=-1)) + 1
    )
    return np.less(draws[clock.t], probability)


def _ordered(start: float | None, stop: float | None) -> bool:
    return start != stop and (start or 0.0) >= 0 and (stop is None or stop > (start or 0.0))


def _whole(value: float | None) -> bool:
    """Whether it counts something: beyond 2⁵³ numbers have gaps."""
    return value is not None and value == int(value) and value <= 2**53


_FACTORS = {
    "linear-up": _Factor(
        _linear_up, 0, 1, lambda s=1: bool(s and s > 0), "write linear-up or linear-up:SECONDS"
    ),
    "linear-down": _Factor(
        _linear_down, 0, 1, lambda s=1: bool(s and s > 0), "write linear-down or linear-down:SECONDS"
    ),
    "exponential": _Factor(
        _exponential, 0, 1, lambda r=1: bool(r and 0 < r <= 1), "the rate per frame lies above 0 and up to 1"
    ),
    "window": _Factor(
        _window, 2, 2, _ordered, "write window:START-STOP in seconds, such as window:5-10 or window:5-"
    ),
    "every": _Factor(
        _every, 1, 1, lambda n: _whole(n) and n >= 1, "write every:N with a whole number of frames"
    ),
    "bernoulli": _Factor(
        _bernoulli,
        1,
        2,
        lambda p, s=0: p is not None and 0 <= p <= 1 and _whole(s) and s >= 0,
        "write bernoulli:P or bernoulli:P:RANDOM_STATE with P between 0 and 1",
    ),
}
