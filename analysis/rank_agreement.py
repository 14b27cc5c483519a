"""Do people and a score order items alike? A rank correlation with listeners and items drawn anew."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import RESAMPLES, percentiles

Floats = NDArray[np.floating[Any]]
FEWEST_ITEMS = 3


@dataclass(frozen=True, slots=True)
class Agreement:
    """A rank correlation; NaN where there is none."""

    correlation: float
    low: float
    high: float

    @property
    def verdict(self) -> Literal["agree", "opposed", "undecided"]:
        """What the interval allows to say."""
        if self.low > 0:
            return "agree"
        return "opposed" if self.high < 0 else "undecided"


def rank_agreement(
    ratings: Floats, scores: Floats, *, resamples: int = RESAMPLES, random_seed: int = 0
) -> Agreement:
    """Correlation over items of the listeners' mean rating with a score, with a 95 % percentile interval.

    Listeners and items are both drawn with replacement, independently (the pigeonhole bootstrap, Owen 2007):
    other people and other items could have been asked.

    Args:
        ratings: (L listeners, S items); NaN where somebody did not rate something.
        scores: (S,); items without a score are left out.
        resamples: number of draws.
        random_seed: decides them.
    """
    known = np.isfinite(ratings).any(axis=0) & np.isfinite(scores)
    if known.sum() < FEWEST_ITEMS:
        return Agreement(np.nan, np.nan, np.nan)
    ratings, scores = ratings[:, known], scores[known]
    listeners, items = ratings.shape
    random = np.random.default_rng(random_seed)
    people = random.multinomial(listeners, np.full(listeners, 1 / listeners), size=resamples)
    drawn = random.integers(items, size=(resamples, items))
    means = np.take_along_axis(_means(people.astype(np.float64), ratings), drawn, axis=1)
    correlations = _spearman(means, scores[drawn])
    whole = _spearman(_means(np.ones((1, listeners)), ratings), scores[np.newaxis])
    return Agreement(float(whole[0]), *percentiles(correlations))


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
