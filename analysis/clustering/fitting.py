"""k-means of rows in memory: from many starts to the best clusters, and how they agree with labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.clustering.kmeans import Labels, Rows, Search, lloyd, nearest_centers
from analysis.clustering.minibatch import minibatch
from analysis.clustering.scaling import fit_scaling
from analysis.clustering.scaling_kinds import SCALINGS, ScalingKind
from analysis.clustering.scores import Agreement, agreement, silhouette_sample
from analysis.clustering.starts import plus_plus_starts
from analysis.concepts import concept_of, matrix_of
from store.errors import InvalidInput


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Clusters:
    """Rows in k clusters, the best of several starts."""

    labels: NDArray[np.int64]
    """Cluster of each row, 0 … k − 1, (n,)."""
    centers: NDArray[np.float32]
    """Of the scaled rows, about their mean, (k, E)."""
    inertia: float
    """Sum of squared distances to the nearest centre."""
    silhouette: float | None
    """Mean silhouette, over 2,000 rows at most; None where all rows are alike."""
    agreement: Agreement | None
    """With the labels that were given: ari, nmi, ami …; None without."""
    inertias: tuple[float, ...]
    """Of all starts."""

    @property
    def k(self) -> int:
        """How many clusters."""
        return len(self.centers)

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, np.bincount(self.labels, minlength=self.k)))
        parts = [f"sizes {sizes}", f"inertia {self.inertia:.6g}"]
        if self.silhouette is not None:
            parts.append(f"silhouette {self.silhouette:.3f}")
        if self.agreement is not None:
            parts.append(f"ARI {self.agreement.ari:.3f}")
        return f"Clusters(k {self.k}: {', '.join(parts)})"


def from_starts(
    points: Rows, k: int, seeds: Sequence[int], *, batch_size: int = 0
) -> tuple[list[Search], NDArray[np.int64]]:
    """Every start followed to its end over points (n, E) about zero, and the clusters of each, (S, n)."""
    starts = plus_plus_starts(points, k, seeds)
    searches = [Search(centers) for centers in starts]
    if batch_size:
        searches = minibatch(lambda _: iter([points]), 1, starts, batch_size=batch_size, rows=len(points))
    searches = lloyd(points, searches)
    return searches, np.stack(nearest_centers(points, [search.centers for search in searches]))


def clusters(
    X: ArrayLike,
    k: int | None = None,
    *,
    y: ArrayLike | None = None,
    scaling: ScalingKind = "none",
    starts: int = 10,
    seed: int = 0,
    batch_size: int = 0,
) -> Clusters:
    """k-means of rows (n, D) into k clusters, by default as many as y has classes.

    Args:
        X: rows (n, D).
        k: number of clusters.
        y: classes to compare the clusters with, (n,); rows without a label count for the clusters alone.
        scaling: "none", "zscore", "l2" or "pca" (whitened components).
        starts: k-means++ starts, of which the one of lowest inertia counts.
        seed: of the first start.
        batch_size: rows of a mini-batch, after which centres move; 0 moves them after all rows.

    Raises:
        InvalidInput: shapes that do not fit, or a k that the rows cannot fill.
    """
    rows = matrix_of(X)
    concept = None if y is None else concept_of("y", y, kind="class")
    if concept is not None and len(concept.values) != len(rows):
        raise InvalidInput(f"X has {len(rows)} rows and y {len(concept.values)}: give one for each row.")
    wanted = k if k is not None else len(concept.classes) if concept is not None else 0
    if not 2 <= wanted <= len(rows):
        raise InvalidInput(f"k is {wanted}: give a number from 2 to {len(rows)}, the rows, or classes y.")
    if scaling not in SCALINGS or starts < 1 or batch_size < 0:
        raise InvalidInput(
            f"Scaling is one of {', '.join(SCALINGS)}, starts at least 1, and batch_size 0 or more."
        )
    points = fit_scaling(scaling, rows)(rows)
    searches, found = from_starts(points, wanted, range(seed, seed + starts), batch_size=batch_size)
    best = int(np.argmin([search.inertia for search in searches]))
    labels: Labels = found[best]
    agrees = None
    if concept is not None:
        known = concept.labelled
        agrees = agreement(concept.values[known], labels[known])
    return Clusters(
        labels=labels,
        centers=np.asarray(searches[best].centers, np.float32),
        inertia=searches[best].inertia,
        silhouette=silhouette_sample(points).of(labels),
        agreement=agrees,
        inertias=tuple(search.inertia for search in searches),
    )
