"""What steering from a source to a target achieves, from probabilities: transfer, retention, fusion.

The definitions are ours. arXiv:2506.10225 reports such numbers without their formulas.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def transfer_score(means: Floats) -> Floats:
    """ΔP(target): mean P(target | steered) minus mean P(target | twin), from the means (2, …) of the two."""
    return np.asarray(means[0] - means[1])


def retention_score(means: Floats) -> Floats:
    """P(source | steered) / P(source | twin), as a ratio of the means (2, …)."""
    return np.asarray(means[0] / means[1])


def fusion_of(first: Floats, second: Floats) -> Floats:
    """Harmonic mean of two probabilities after both were divided by their sum: 0.5 for both alike, 0 for one.

    NaN where both are 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share = first / (first + second)
    return np.asarray(2 * share * (1 - share))


def balance_of(first: Floats, second: Floats) -> Floats:
    """(p₁ + p₂) · (1 − |p₁ − p₂|): fusion that also asks for both to be probable at all; 1 at the most."""
    return np.asarray((first + second) * (1 - np.abs(first - second)))


def mean_score(means: Floats) -> Floats:
    """The mean (1, …) itself."""
    return np.asarray(means[0])
