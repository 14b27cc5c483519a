"""Agreement of clusters with labels, and how well clusters are apart: scikit-learn's indices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.clustering.kmeans import Labels, Rows

VERSION = 1
"""Of agreement and silhouettes: raise it with their numbers."""
SILHOUETTE_ROWS = 2000
"""The silhouette needs all distances between rows; it is taken on as many of them, drawn at random."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of a partition with a labelling; 1 where they are the same, chance is 0 for ARI and AMI."""

    ari: float
    """Adjusted Rand index (Hubert and Arabie 1985)."""
    nmi: float
    """Normalised mutual information, by the arithmetic mean of the entropies."""
    ami: float
    """Adjusted mutual information (Vinh et al. 2010)."""
    homogeneity: float
    """1 where every cluster holds one class only."""
    completeness: float
    """1 where every class lies in one cluster."""


def agreement(classes: Labels, clusters: Labels) -> Agreement:
    """Between the classes (N,) and the clusters (N,) of the same rows."""
    from sklearn.metrics import (
        adjusted_mutual_info_score,
        adjusted_rand_score,
        homogeneity_completeness_v_measure,
    )

    homogeneity, completeness, nmi = homogeneity_completeness_v_measure(classes, clusters)
    return Agreement(
        ari=float(adjusted_rand_score(classes, clusters)),
        nmi=float(nmi),
        ami=float(adjusted_mutual_info_score(classes, clusters)),
        homogeneity=float(homogeneity),
        completeness=float(completeness),
    )


@dataclass(frozen=True, slots=True)
class SilhouetteSample:
    """Rows drawn once, with the distances between them, for the silhouettes of many partitions."""

    places: NDArray[np.int64]
    """Which rows, (m,)."""
    distances: Rows
    """(m, m)"""

    def of(self, labels: Labels) -> float | None:
        """Mean silhouette (Rousseeuw 1987) of a partition (N,), −1 marking rows without a label."""
        from sklearn.metrics import silhouette_score

        known = np.flatnonzero(labels[self.places] >= 0)
        own = labels[self.places[known]]
        if not 2 <= len(np.unique(own)) < len(own):
            return None
        return float(silhouette_score(self.distances[np.ix_(known, known)], own, metric="precomputed"))


def silhouette_sample(rows: Rows, *, seed: int = 0) -> SilhouetteSample:
    """At most 2,000 of the rows (N, D)."""
    random = np.random.default_rng(seed)
    places = np.sort(random.permutation(len(rows))[:SILHOUETTE_ROWS])
    chosen = rows[places].astype(np.float64)
    squares = (chosen**2).sum(axis=1)
    squared = squares[:, np.newaxis] + squares - 2 * chosen @ chosen.T
    distances = np.sqrt(np.maximum(squared, 0.0))
    np.fill_diagonal(distances, 0.0)
    return SilhouetteSample(places, distances)


def majority(histogram: NDArray[np.int64]) -> Labels:
    """The most frequent cluster of each clip from its counts (N, k); of equals the first."""
    return np.asarray(histogram.argmax(axis=1))
