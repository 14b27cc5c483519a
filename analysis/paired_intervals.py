"""Intervals of steering effects: prompts and random states are drawn anew, twins and controls with them.

A sweep crosses P prompts with S random states, and a steered generation shares its prompt and its noise with
its twin and its controls. Resampling the cells alone would take generations of one prompt for independent
witnesses; the pigeonhole bootstrap (Owen 2007, "The pigeonhole bootstrap") draws prompts and random states,
each with replacement, and every cell as often as both its sides were drawn. It errs on the wide side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Score = Callable[[Floats], Floats]
"""Weighted means of statistics (m, …) → scores (…)."""

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval; NaN where there is none."""

    value: float
    low: float
    high: float


def crossed_interval(
    statistics: Floats, score: Score, *, resamples: int = RESAMPLES, random_seed: int = 0
) -> Estimate:
    """A score of means over cells, with a percentile interval.

    Cells with a NaN in any statistic are left out, of the value and of every draw.

    Args:
        statistics: m numbers per cell, (m, P, S).
        score: gives scores (…) from means (m, …).
        resamples: number of draws.
        random_seed: decides the draws, so that equal designs share them.
    """
    known = ~np.isnan(statistics).any(axis=0)
    filled = np.where(known, statistics, 0.0)
    if not known.any():
        return Estimate(np.nan, np.nan, np.nan)
    value = float(score(filled.sum(axis=(1, 2)) / known.sum()))
    draws = crossed_draws(*known.shape, resamples=resamples, random_seed=random_seed) * known
    totals = draws.sum(axis=(1, 2))
    sums = np.einsum("mps,rps->mr", filled, draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = score(sums / totals)
    return Estimate(value, *percentiles(scores))


def crossed_draws(prompts: int, states: int, *, resamples: int = RESAMPLES, random_seed: int = 0) -> Floats:
    """How often each cell is drawn, (resamples, P, S); a side of one is not drawn but kept."""
    return _draws(prompts, states, resamples, random_seed)


def percentiles(scores: Floats, *, level: float = LEVEL) -> tuple[float, float]:
    """The interval of drawn scores; NaN where fewer than half of the draws have one, or there is one draw."""
    known = scores[np.isfinite(scores)]
    if len(known) * 2 < len(scores) or len(scores) < 2:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=16)
def _draws(prompts: int, states: int, resamples: int, random_seed: int) -> Floats:
    if prompts * states < 2:
        return np.full((1, prompts, states), 1.0)
    random = np.random.default_rng(random_seed)
    sides = [
        random.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
        for count in (prompts, states)
    ]
    return np.asarray(sides[0][:, :, np.newaxis] * sides[1][:, np.newaxis, :])
