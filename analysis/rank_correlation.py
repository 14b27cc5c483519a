"""Does one number of a layer predict another? Rank correlation over layers, with an interval."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import percentiles

Floats = NDArray[np.floating[Any]]
Verdict = Literal["yes", "opposite", "undecided"]

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class LayerPrediction:
    """How far an index orders layers as steering does."""

    correlations: Floats
    """Spearman's ρ over the layers of each concept, (n,); NaN where one side does not vary."""
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """Whether the index predicts the layer: "undecided" when the interval covers 0."""
        if not np.isfinite(self.low) or self.low <= 0 <= self.high:
            return "undecided"
        return "yes" if self.low > 0 else "opposite"


def layer_prediction(index: Floats, effect: Floats, *, random_seed: int = 0) -> LayerPrediction:
    """Compare an index with an effect, layer by layer.

    Args:
        index: (n, L), of n concepts or pairs of classes.
        effect: (n, L); layers that lack either number are left out.
        random_seed: of the bootstrap over the n.
    """
    correlations = np.array([spearman(*each) for each in zip(index, effect, strict=True)])
    known = correlations[np.isfinite(correlations)]
    if len(known) < 2:
        mean = float(known[0]) if len(known) else float("nan")
        return LayerPrediction(correlations, mean, float("nan"), float("nan"))
    draws = np.random.default_rng(random_seed).integers(len(known), size=(RESAMPLES, len(known)))
    low, high = percentiles(known[draws].mean(axis=1))
    return LayerPrediction(correlations, float(known.mean()), low, high)


def spearman(one: Floats, other: Floats) -> float:
    """Spearman's ρ of the places that both know, ties at their mean rank; NaN below three places."""
    from scipy.stats import rankdata

    known = np.isfinite(one) & np.isfinite(other)
    if known.sum() < 3:
        return float("nan")
    ranks = [rankdata(each[known]) for each in (one, other)]
    deviations = [rank - rank.mean() for rank in ranks]
    length = float(np.linalg.norm(deviations[0]) * np.linalg.norm(deviations[1]))
    return float(deviations[0] @ deviations[1]) / length if length > 0 else float("nan")
