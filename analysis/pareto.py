"""Settings that trade one good for another: which of them nothing beats, and how much they reach together."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trade:
    """One setting and the two goods it gives; more of both is better."""

    x: float
    y: float
    name: str
    """What tells it from its neighbours, for example "α 0.4"."""
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


def pareto_front(trades: Sequence[Trade]) -> list[Trade]:
    """The settings that no other beats in one respect without losing in the other, by ascending x.

    Of several at the very same place the first stays.
    """
    front: list[Trade] = []
    for trade in sorted(trades, key=lambda one: (-one.x, -one.y)):
        if not front or trade.y > front[-1].y:
            front.append(trade)
    return front[::-1]


def area_below_front(trades: Sequence[Trade], *, x_from: float = 0.0, y_from: float = 0.0) -> float:
    """Area of all places that some setting beats, right of `x_from` and above `y_from`.

    One number for a whole curve, whatever its steps in α: the hypervolume of Zitzler & Thiele (1999) in two
    dimensions. With both goods in [0, 1] it lies in [0, 1].
    """
    area, left = 0.0, x_from
    for trade in pareto_front(trades):
        if trade.x > left and trade.y > y_from:
            area += (trade.x - left) * (trade.y - y_from)
            left = trade.x
    return area
