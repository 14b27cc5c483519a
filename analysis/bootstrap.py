"""Confidence intervals from a bootstrap over groups: clips of one recording are no independent witnesses."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Sums of statistics (m, …, resamples) → scores (…, resamples)."""

RESAMPLES = 1000
LEVEL = 0.95
MOST_GROUPS = 2000
"""More groups are pooled at random into so many: the interval is as wide, and takes bounded time."""


def group_bootstrap(
    groups: Sequence[str] | NDArray[Any],
    statistics: NDArray[np.floating[Any]],
    score: Score,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    random_seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval of scores that are functions of sums over rows.

    Groups are drawn with replacement, each with all its rows (the cluster bootstrap: Davison & Hinkley 1997,
    section 3.8).

    Args:
        groups: the group of each row, (N,).
        statistics: m numbers per row that the score needs the sums of, (N, m, …); further axes are scored
            side by side, with the same draws.
        score: gives scores (…, resamples) from sums (m, …, resamples).
        resamples: number of draws.
        level: probability that the interval covers.
        random_seed: decides the draws.

    Returns:
        Lower and upper ends, each (…); NaN where no draw has a score.
    """
    draws = bootstrap_draws(groups, statistics, score, resamples=resamples, random_seed=random_seed)
    return interval_of(draws, level=level)


def bootstrap_draws(
    groups: Sequence[str] | NDArray[Any],
    statistics: NDArray[np.floating[Any]],
    score: Score,
    *,
    resamples: int = RESAMPLES,
    random_seed: int = 0,
) -> NDArray[np.float64]:
    """The scores (…, resamples) whose quantiles `group_bootstrap` gives."""
    return score(_resampled(_group_totals(groups, statistics), resamples, random_seed))


def interval_of(
    draws: NDArray[np.float64], *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends (…) of what draws (…, resamples) cover; NaN where none of them has a score."""
    tail = (1 - level) / 2
    ends = np.full((2, *draws.shape[:-1]), np.nan)
    some = ~np.isnan(draws).all(axis=-1)
    ends[:, some] = np.nanquantile(draws[some], [tail, 1 - tail], axis=-1)
    return ends[0], ends[1]


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score Σ first / Σ second statistic, for example correct rows over rows; NaN where that is 0/0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[0] / sums[1])


def _group_totals(
    groups: Sequence[str] | NDArray[Any], statistics: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Sums over the rows of each group, (G, m, …)."""
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) > MOST_GROUPS:
        codes = (np.random.default_rng(0).permutation(len(names)) % MOST_GROUPS)[codes]
    flat = statistics.reshape(len(codes), -1)
    count = min(len(names), MOST_GROUPS)
    totals = np.stack([np.bincount(codes, column, count) for column in flat.T], axis=1).astype(np.float64)
    return totals.reshape(count, *statistics.shape[1:])


def _resampled(totals: NDArray[np.float64], resamples: int, random_seed: int) -> NDArray[np.float64]:
    """Sums over drawn groups, (m, …, resamples)."""
    sums = _draws(len(totals), resamples, random_seed) @ totals.reshape(len(totals), -1)
    return np.asarray(sums.T.reshape(*totals.shape[1:], resamples))


@lru_cache(maxsize=4)
def _draws(count: int, resamples: int, random_seed: int) -> NDArray[np.float64]:
    """How often each group is drawn, (resamples, count); the same for every layer of a run."""
    random = np.random.default_rng(random_seed)
    return random.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
