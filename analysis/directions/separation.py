"""Separation of positives from negatives by a direction on held-out rows, beside random directions."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.group_intervals import NORMAL_QUANTILE, degrees_factor, group_totals, tempered, widened
from analysis.linear.columns import Columns
from analysis.linear.contrast_moments import Masks
from analysis.linear.moments import Floats
from analysis.linear.row_blocks import block_places
from analysis.linear.row_space import RowSpace
from analysis.metrics import roc_auc

VERSION = 1
"""Of what is measured of every direction on held-out rows: raise it with its numbers."""
RANDOM_DIRECTIONS = 200
QUANTILE = 0.95
SEED = 0


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


def separation(
    projections: Floats, positive: Masks, *, groups: np.ndarray[Any, Any], training: float = 1.0
) -> Separation | None:
    """Of projections (N,) with their classes (N,); None where a class has no row.

    Rows of one of the `groups` (N,) are no independent witnesses, so the interval counts what they are worth;
    `training` is the `analysis.group_intervals.training_factor` of the folds.
    """
    high, low = projections[positive], projections[~positive]
    if not len(high) or not len(low):
        return None
    deviation = math.sqrt((high.var() * len(high) + low.var() * len(low)) / len(projections))
    difference = float(high.mean() - low.mean())
    score = roc_auc(positive, projections)
    score_low, score_high = auc_interval(score, *_worth(score, projections, positive, groups, training))
    separability = difference / deviation if deviation > 0 else math.copysign(math.inf, difference)
    return Separation(
        float(high.mean()), float(low.mean()), deviation, separability, score, score_low, score_high
    )


def _worth(
    score: float, projections: Floats, positive: Masks, groups: np.ndarray[Any, Any], training: float
) -> tuple[float, float]:
    """How many independent positives and negatives the variance of an AUC is worth.

    The variance is that of groups (Obuchowski 1997, "Nonparametric analysis of clustered ROC curve data"),
    treated as that of a share is in `analysis.group_intervals`.
    """
    sides = np.stack([positive, ~positive], axis=1).astype(np.float64)
    sizes = group_totals(groups, sides)
    rows = sizes.sum(axis=0)
    witnesses = rows**2 / (sizes**2).sum(axis=0)
    won = _won(projections, positive)
    parts = group_totals(groups, (won - score) * (sides / rows).sum(axis=1))
    lost = group_totals(groups, 1 - won if score >= 0.5 else won)
    tellers, count = int((lost > 1e-9).sum()), len(parts)
    cautious = _variance(score, *witnesses)
    if cautious <= 0 or count < 2:
        return float(witnesses[0]), float(witnesses[1])
    spread = float((parts**2).sum()) * count / (count - 1)
    variance = float(widened(training, tellers)) * float(tempered(spread, cautious, tellers))
    share = cautious / variance * float(degrees_factor(count - 1))
    positives, negatives = np.minimum(witnesses * share, rows)
    return float(positives), float(negatives)


def _won(projections: Floats, positive: Masks) -> Floats:
    """Share of the other class that each row is on the right side of, (N,); ties count half."""
    from scipy.stats import rankdata

    won, ranks, total = np.empty(len(projections)), rankdata(projections), len(projections)
    for side in (positive, ~positive):
        below = (ranks[side] - rankdata(projections[side])) / (total - side.sum())
        won[side] = below if side is positive else 1 - below
    return won


def auc_interval(score: float, positives: float, negatives: float) -> tuple[float, float]:
    """95 % interval of an AUC from so many independent positives and negatives.

    Newcombe (2006, Statistics in Medicine 25, 559–573), method 5: the score interval under Hanley and
    McNeil's variance. It is honest where the AUC is 1, unlike a bootstrap, which then has no width.
    """

    def excess(candidate: float) -> float:
        variance = _variance(candidate, positives, negatives)
        return abs(score - candidate) - NORMAL_QUANTILE * math.sqrt(max(variance, 0.0))

    return _boundary(excess, score, 0.0), _boundary(excess, score, 1.0)


def _variance(score: float, positives: float, negatives: float) -> float:
    """Hanley and McNeil's variance of an AUC."""
    mean_count = (positives + negatives) / 2
    spread = 2 * mean_count - 1 - 3 * (mean_count - 1) / ((2 - score) * (1 + score))
    return score * (1 - score) * spread / (positives * negatives)


def _boundary(excess: Callable[[float], float], inside: float, outside: float) -> float:
    """Where `excess` turns positive between the score and the end of the scale, by bisection."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if excess(middle) > 0:
            outside = middle
        else:
            inside = middle
    return inside


def random_scores(space: RowSpace, targets: Masks) -> Floats:
    """ROC-AUC that 95 of 100 random directions stay within, whichever way they point, (M,).

    Chance is not enough to beat. Activations have few strong axes, and where one of them separates the
    classes, every direction leans on it: a random one then tells them apart as well. Nothing is fitted, so
    that all rows can be projected. NaN where a class has no row.

    Args:
        space: rows in the coordinates of their space.
        targets: which rows are positive, (N, M).
    """
    from scipy.stats import rankdata

    drawn = np.random.default_rng(SEED).standard_normal((RANDOM_DIRECTIONS, len(space.mean)))
    directions = space.reduced(drawn).T
    positives = targets.sum(axis=0)
    pairs = positives * (len(targets) - positives)
    scores = np.full((RANDOM_DIRECTIONS, len(pairs)), np.nan)
    with Columns(len(targets), RANDOM_DIRECTIONS) as projected:
        for rows, block in space.blocks():
            projected.put(rows, block @ directions)
        for place, own in enumerate(scores):
            above = _sums_of(rankdata(projected.column(place)), targets) - positives * (positives + 1) / 2
            np.divide(above, pairs, out=own, where=pairs > 0)
    return np.asarray(np.quantile(np.maximum(scores, 1 - scores), QUANTILE, axis=0))


def _sums_of(ranks: Floats, targets: Masks) -> Floats:
    """Sum of the ranks of the positives, (M,): of halves, so exact in any order."""
    total = np.zeros(targets.shape[1])
    for rows in block_places(len(ranks)):
        total += ranks[rows] @ targets[rows].astype(np.float64)
    return total
