"""Rank correlation between listeners' ratings and a score, with an interval over listeners and items."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
FEWEST_ITEMS = 6
"""Of five items, even perfect agreement is one order of 120; drawn with replacement, few differ."""
RESAMPLES = 1000
PERMUTATIONS = 4999
"""Most that are drawn; where there are fewer, all of them count."""
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Agreement:
    """A rank correlation with its interval; NaN where there is none."""

    correlation: float
    low: float
    high: float
    chance: float
    """How often items in random order agree or disagree as much (the p-value of a permutation test)."""

    @property
    def verdict(self) -> Literal["agree", "opposed", "undecided"]:
        """What the interval and the permutation test both allow to say."""
        if not self.chance <= 1 - LEVEL:
            return "undecided"
        if self.low > 0:
            return "agree"
        return "opposed" if self.high < 0 else "undecided"


def rank_agreement(
    ratings: Floats, scores: Floats, *, resamples: int = RESAMPLES, random_seed: int = 0
) -> Agreement:
    """Correlation over items of the listeners' mean rating with a score, with a 95 % percentile interval.

    Listeners and items are both drawn with replacement, independently (the pigeonhole bootstrap, Owen 2007):
    other people and other items could have been asked. With few items such an interval is too narrow, so that
    a verdict also asks for a permutation test over items (Pitman 1937), which is right however few there are.

    Args:
        ratings: (L listeners, S items); NaN where somebody did not rate something.
        scores: (S,); items without a score are left out.
        resamples: number of draws.
        random_seed: decides them, and the permutations.
    """
    known = np.isfinite(ratings).any(axis=0) & np.isfinite(scores)
    if known.sum() < FEWEST_ITEMS:
        return Agreement(np.nan, np.nan, np.nan, np.nan)
    ratings, scores = ratings[:, known], scores[known]
    listeners, items = ratings.shape
    random = np.random.default_rng(random_seed)
    people = random.multinomial(listeners, np.full(listeners, 1 / listeners), size=resamples)
    drawn = random.integers(items, size=(resamples, items))
    means = np.take_along_axis(_means(people.astype(np.float64), ratings), drawn, axis=1)
    correlations = _spearman(means, scores[drawn])
    whole = _means(np.ones((1, listeners)), ratings)
    orders = np.concatenate([np.arange(items)[np.newaxis], _orders(items, random)])
    correlation, *by_chance = _spearman(np.repeat(whole, len(orders), axis=0), scores[orders]).tolist()
    return Agreement(correlation, *_percentiles(correlations), _share_beyond(correlation, by_chance))


def _orders(items: int, random: np.random.Generator) -> NDArray[np.intp]:
    """All other orders of so many items where they are few, else as many random ones, (…, items)."""
    if math.factorial(items) > PERMUTATIONS:
        return random.permuted(np.tile(np.arange(items), (PERMUTATIONS, 1)), axis=1)
    return np.array(list(itertools.permutations(range(items))))[1:]


def _share_beyond(correlation: float, by_chance: Sequence[float]) -> float:
    """The order that was found is one of the orders that chance could give."""
    if not math.isfinite(correlation):
        return math.nan
    beyond = np.abs(by_chance) >= abs(correlation) - 1e-12
    return float((1 + beyond.sum()) / (1 + len(by_chance)))


def _percentiles(scores: Floats) -> tuple[float, float]:
    """NaN where fewer than half of the draws have a score."""
    known = scores[np.isfinite(scores)]
    if len(known) * 2 < len(scores):
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _means(weights: Floats, ratings: Floats) -> Floats:
    """Mean ratings (R, S) over listeners with weights (R, L); NaN where nobody rated."""
    known = np.isfinite(ratings)
    with np.errstate(invalid="ignore"):
        return np.asarray(weights @ np.where(known, ratings, 0.0) / (weights @ known))


def _spearman(one: Floats, other: Floats) -> Floats:
    """Of each row (R, S) with its partner, ties at their mean rank; NaN where one is constant or has gaps."""
    from scipy.stats import rankdata

    whole = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    ranks = [rankdata(values, axis=1) for values in (one, other)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (first * second).sum(axis=1) / np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.where(whole, found, np.nan)
