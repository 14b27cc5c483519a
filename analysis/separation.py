"""How well projections on a direction tell positives from negatives, on rows it was not fitted to."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from analysis.contrast_moments import Masks
from analysis.row_space import Floats

NORMAL_QUANTILE = 1.959963984540054
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Separation:
    """Projections of positives and negatives, in the units of the activations."""

    mean_positive: float
    mean_negative: float
    deviation: float
    """σ: standard deviation about the mean of the own class."""
    separability: float
    """d′ = (mean_positive − mean_negative) / σ."""
    score: float
    """ROC-AUC: how often a positive projects higher than a negative."""
    score_low: float
    score_high: float


def separation(projections: Floats, positive: Masks, *, groups: tuple[int, int]) -> Separation | None:
    """Of projections (N,) with their classes (N,); None where a class has no row.

    `groups` are the numbers of groups with positives and with negatives: rows of one recording are no
    independent witnesses, so the interval counts groups.
    """
    high, low = projections[positive], projections[~positive]
    if not len(high) or not len(low):
        return None
    deviation = math.sqrt((high.var() * len(high) + low.var() * len(low)) / len(projections))
    difference = float(high.mean() - low.mean())
    score = roc_auc(projections, positive)
    score_low, score_high = auc_interval(score, *groups)
    separability = difference / deviation if deviation > 0 else math.copysign(math.inf, difference)
    return Separation(
        float(high.mean()), float(low.mean()), deviation, separability, score, score_low, score_high
    )


def roc_auc(scores: Floats, positive: Masks) -> float:
    """Area under the ROC curve by ranks; ties count half."""
    from scipy.stats import rankdata

    positives = int(positive.sum())
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(scores) - positives)))


def auc_interval(score: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % interval of an AUC from so many independent positives and negatives.

    Newcombe (2006, Statistics in Medicine 25, 559–573), method 5: the score interval under Hanley and
    McNeil's variance. It is honest where the AUC is 1, unlike a bootstrap, which then has no width.
    """

    def excess(candidate: float) -> float:
        mean_count = (positives + negatives) / 2
        spread = 2 * mean_count - 1 - 3 * (mean_count - 1) / ((2 - candidate) * (1 + candidate))
        variance = candidate * (1 - candidate) * spread / (positives * negatives)
        return abs(score - candidate) - NORMAL_QUANTILE * math.sqrt(max(variance, 0.0))

    return _boundary(excess, score, 0.0), _boundary(excess, score, 1.0)


def _boundary(excess: Callable[[float], float], inside: float, outside: float) -> float:
    """Where `excess` turns positive between the score and the end of the scale, by bisection."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if excess(middle) > 0:
            outside = middle
        else:
            inside = middle
    return inside
