"""A share of hits with an interval that has a width at 0 and 1 too, where rows of one group are alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z = 1.959964
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """Of rows that were hit."""

    value: float
    low: float
    """Lower end of its 95 % interval."""
    high: float


def share_of_hits(hits: NDArray[np.bool_], groups: Sequence[str] | NDArray[Any]) -> Share:
    """Wilson's interval, for as many independent rows as the rows of these groups are worth.

    They are worth fewer by the design effect: how much wider the share scatters over groups than over rows
    (Kish 1965). Where nothing scatters, as at 0 and 1, a group is worth one row.
    """
    value = float(hits.mean())
    worth = _independent_rows(hits, groups)
    centre = (value + Z**2 / (2 * worth)) / (1 + Z**2 / worth)
    half = Z / (1 + Z**2 / worth) * sqrt(value * (1 - value) / worth + Z**2 / (4 * worth**2))
    return Share(value, max(0.0, centre - half), min(1.0, centre + half))


def _independent_rows(hits: NDArray[np.bool_], groups: Sequence[str] | NDArray[Any]) -> float:
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    count, value = len(names), float(hits.mean())
    if count < 2 or value in (0.0, 1.0):
        return float(count)
    residuals = np.bincount(codes, weights=hits - value, minlength=count)
    scatter = count / (count - 1) * float((residuals**2).sum()) / len(hits) ** 2
    effect = max(1.0, scatter / (value * (1 - value) / len(hits)))
    return len(hits) / effect
