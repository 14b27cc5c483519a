"""Intervals of held-out scores over groups: clips of one recording are no independent witnesses.

What an interval is about: the score, on groups that nobody has seen, of probes that are fitted to as many
groups as these were; the mean over what such groups could have been. So two things make a score uncertain:
which groups were scored, and which the probes were fitted to. The first is estimated from the differences
between groups (Taylor linearisation of a ratio for accuracy, the jackknife of groups for R²), the second is
taken from Nadeau and Bengio (2003, "Inference for the generalization error"): the variance is
`training_factor` times as large. A bootstrap of held-out predictions knows the first alone, and has no
width where every clip was right.

Accuracy counts as so many independent clips as its variance is worth (Kish's design effect), with the
degrees of freedom of the groups (Korn & Graubard 1998), and gets Jeffreys' interval (Brown, Cai & DasGupta
2001). A variance that only few groups with errors tell of is drawn towards that of clips which agree within
their group; where there are no errors at all, so many clips are counted as there are groups. R² is normal
on the scale log(1 − R²), by Student's t. `benchmarks/coverage.py` simulates how often these intervals hold
the truth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, stdtr, stdtrit

from analysis.metrics import r2_of_sums
from analysis.splits import Partition

Floats = NDArray[np.float64]

LEVEL = 0.95
NORMAL_QUANTILE = 1.959963984540054
CAUTION = 2
"""Groups; simulated, like all of this: with fewer, few errors in large groups are taken too lightly."""
_HALVINGS = 50
_LEAST_SHARE = 1e-12
"""Of the variance of numbers that errors are taken to have at least: log(0) has no interval."""


class Belief(Protocol):
    """Where a score may lie, as a distribution whose quantiles are the ends of its intervals (…)."""

    def below(self, score: Floats) -> Floats:
        """Probability of less than this (…)."""

    def quantile(self, probability: float) -> Floats:
        """The score (…) below which the truth lies with this probability; NaN where nothing is known."""


@dataclass(frozen=True, slots=True, eq=False)
class ShareBelief:
    """Of shares: Jeffreys' distribution, whose intervals reach 0 or 1 where the share is 0 or 1."""

    share: Floats
    trials: Floats
    """Independent clips that the variance is worth."""

    def below(self, score: Floats) -> Floats:
        """See `Belief`."""
        return np.asarray(betainc(*self._parameters(), score))

    def quantile(self, probability: float) -> Floats:
        """See `Belief`."""
        found = betaincinv(*self._parameters(), probability)
        end = 0.0 if probability < 0.5 else 1.0
        return np.where(self.share == end, end, found)

    def _parameters(self) -> tuple[Floats, Floats]:
        return self.share * self.trials + 0.5, (1 - self.share) * self.trials + 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedBelief:
    """Of R²: Student's t on the scale log(1 − R²)."""

    centre: Floats
    deviation: Floats
    degrees: float

    def below(self, score: Floats) -> Floats:
        """See `Belief`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(stdtr(self.degrees, (self.centre - np.log1p(-score)) / self.deviation))

    def quantile(self, probability: float) -> Floats:
        """See `Belief`."""
        reach = stdtrit(self.degrees, 1 - probability) if self.degrees > 0 else np.nan
        return np.asarray(-np.expm1(self.centre + reach * self.deviation))


def interval_of(beliefs: Sequence[Belief], *, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Lower and upper ends (…) of an even mixture of beliefs; NaN where none of them knows anything."""
    tail = (1 - level) / 2
    return _mixed_quantile(beliefs, tail), _mixed_quantile(beliefs, 1 - tail)


def training_factor(partition: Partition, groups: NDArray[Any]) -> float:
    """How many times the variance over groups is that with the fitting: 1 + Σ tested / training groups.

    Nadeau and Bengio's correction, for J fits that are scored on n₂ groups each: 1 + J n₂/n₁. With five folds
    that is 2.25, with an official split of one test part little more than 1.
    """
    names, codes = np.unique(groups, return_inverse=True)
    folds = np.empty(len(names), partition.cells.dtype)
    folds[codes] = partition.cells
    counts = np.bincount(folds, minlength=partition.count)
    shares = [counts[fold] / max(len(folds) - counts[fold], 1) for fold in partition.tested]
    return float(1 + sum(shares))


def share_belief(groups: NDArray[Any], right: Floats, *, training: float = 1.0) -> ShareBelief:
    """Distributions of shares of right rows, several side by side, from rows in groups.

    Args:
        groups: the group of each row, (N,).
        right: whether a row is right and whether it counts, (N, 2, …).
        training: the `training_factor`; 1 where the fits themselves are what the interval is about.
    """
    hits, sizes = np.moveaxis(group_totals(groups, right), 1, 0)
    return share_belief_of_totals(hits, sizes, training=training)


def share_belief_of_totals(hits: Floats, sizes: Floats, *, training: float = 1.0) -> ShareBelief:
    """Distributions of shares, from how many rows of each group are right and how many count, (G, …) both.

    A group of which no row counts might as well not be there.
    """
    counted = (sizes > 0).sum(axis=0).astype(np.float64)
    rows = sizes.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits.sum(axis=0) / rows
        as_groups = rows**2 / (sizes**2).sum(axis=0)
        spread = ((hits - share * sizes) ** 2).sum(axis=0) / rows**2 * counted / (counted - 1)
        alone = share * (1 - share)
        rarer = np.where(share < 0.5, hits, sizes - hits)
        tellers = (rarer > 0).sum(axis=0)
        variance = widened(training, tellers) * tempered(spread, alone / as_groups, tellers)
        worth = np.minimum(alone / variance * degrees_factor(counted - 1), rows)
        trials = np.where((alone > 0) & (counted > 1), worth, as_groups)
    return ShareBelief(share, trials)


def tempered(variance: Any, cautious: Any, tellers: Any) -> Floats:
    """A variance that so many groups tell of, drawn towards a cautious one as if two told of it."""
    return np.asarray((tellers * variance + CAUTION * cautious) / (tellers + CAUTION))


def widened(training: float, tellers: Any) -> Floats:
    """The training factor where many groups err; of a score at its bound fitting decides hardly anything."""
    return np.asarray(1 + (training - 1) * tellers / (tellers + 1))


def r2_belief(groups: NDArray[Any], statistics: Floats, *, training: float = 1.0) -> ExplainedBelief:
    """What rows tell of R², from their `analysis.metrics.r2_statistics` (N, 4)."""
    totals = group_totals(groups, statistics)
    count, sums = len(totals), totals.sum(axis=0)
    centre = _log_unexplained(sums)
    without = _log_unexplained((sums - totals).T)
    if not np.isfinite(without).all():  # a group without which the numbers do not vary
        without = centre - _first_order(totals, sums)
    deviations = (without - without.mean()) ** 2
    variance = deviations.sum() * (count - 1) / count * training
    return ExplainedBelief(np.asarray(centre), np.asarray(np.sqrt(variance)), count - 1)


def _mixed_quantile(beliefs: Sequence[Belief], probability: float) -> Floats:
    """It lies between the least and the greatest of the beliefs' own, and is found by halving."""
    own = np.stack([belief.quantile(probability) for belief in beliefs])
    known = ~np.isnan(own)
    low = np.where(known, own, np.inf).min(axis=0)
    high = np.where(known, own, -np.inf).max(axis=0)
    if len(beliefs) > 1:
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            reached = np.stack([belief.below(middle) for belief in beliefs])
            less = np.where(known, reached, 0.0).sum(axis=0) < probability * known.sum(axis=0)
            low, high = np.where(less, middle, low), np.where(less, high, middle)
    some = known.any(axis=0)
    return np.where(some, (np.where(some, low, 0.0) + np.where(some, high, 0.0)) / 2, np.nan)


def degrees_factor(degrees: Any) -> Floats:
    """What so many degrees of freedom take from the worth of an estimated variance (Korn & Graubard)."""
    quantiles = stdtrit(np.maximum(degrees, 1), (1 + LEVEL) / 2)
    return np.asarray((NORMAL_QUANTILE / quantiles) ** 2)


def _log_unexplained(sums: Floats) -> Floats:
    """log(1 − R²) of sums (4, …)."""
    return np.asarray(np.log(np.maximum(1 - r2_of_sums(sums), _LEAST_SHARE)))


def _first_order(totals: Floats, sums: Floats) -> Floats:
    """How much each group (G,) adds to log(1 − R²), to first order."""
    error, squares, total, rows = sums
    mean = total / rows
    spreads = totals[:, 1] - 2 * mean * totals[:, 2] + mean**2 * totals[:, 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(totals[:, 0] / error - spreads / (squares - total * mean))


def group_totals(groups: NDArray[Any], statistics: Floats) -> Floats:
    """Sums over the rows of each group, (G, …)."""
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(np.add.reduceat(statistics[np.argsort(codes, kind="stable")], starts, axis=0))
