"""Labels beside the ends of lines, moved as little as needed so that none covers another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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
