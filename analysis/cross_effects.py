"""Interference: what steering one concept does to the others, per unit of strength.

X_ij = ∂ score_j / ∂ α_i, the slope of the change of score j against the strength of direction i. The index is
the sum of |X_ij| off the diagonal over that on it: 0 where directions leave each other alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import Estimate, crossed_draws, percentiles

Floats = NDArray[np.floating[Any]]


def dose_slope(alphas: Floats, changes: Floats, *, random_seed: int = 0) -> Estimate:
    """Slope of changes against strength, through the origin: without steering nothing changes.

    Args:
        alphas: (A,).
        changes: of the score against the unsteered twin, (A, P, S); NaN where it is unknown.
        random_seed: decides the draws of prompts and random states.
    """
    known = np.isfinite(changes).all(axis=0)
    if not known.any() or not np.any(alphas):
        return Estimate(np.nan, np.nan, np.nan)
    per_cell = np.einsum("a,aps->ps", alphas, np.where(known, changes, 0.0)) / float(alphas @ alphas)
    draws = crossed_draws(*known.shape, random_seed=random_seed) * known
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (draws * per_cell).sum(axis=(1, 2)) / draws.sum(axis=(1, 2))
    return Estimate(float(per_cell[known].mean()), *percentiles(slopes))


def interference_index(slopes: Floats) -> float:
    """Σ over i ≠ j of |X_ij| / Σ |X_ii| of a square matrix; NaN where nothing is on the diagonal."""
    sizes = np.abs(slopes)
    own = float(np.trace(sizes))
    return float(sizes.sum() - own) / own if own > 0 else float("nan")
