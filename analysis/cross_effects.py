"""Interference: what steering one concept does to the others, per unit of strength.

X_ij = ∂ score_j / ∂ α_i, the slope of the change of score j against the strength of direction i. The index is
the sum of |X_ij| off the diagonal over that on it: 0 where directions leave each other alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import Contributions

Floats = NDArray[np.floating[Any]]


def dose_slopes(alphas: Floats, changes: Floats) -> Contributions:
    """Slope of changes against strength in every cell, through the origin: without steering nothing changes.

    Args:
        alphas: (A,).
        changes: of the score against the unsteered twin, (A, P, S); NaN where it is unknown.
    """
    squares = float(alphas @ alphas)
    if squares == 0:
        return Contributions(np.full(changes.shape[1:], np.nan))
    return Contributions(np.einsum("a,aps->ps", alphas, changes) / squares)


def interference_index(slopes: Floats) -> float:
    """Σ over i ≠ j of |X_ij| / Σ |X_ii| of a square matrix; NaN where nothing is on the diagonal."""
    sizes = np.abs(slopes)
    own = float(np.trace(sizes))
    return float(sizes.sum() - own) / own if own > 0 else float("nan")
