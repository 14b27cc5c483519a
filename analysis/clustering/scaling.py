"""Scaling of activations before clustering: none, standardised, unit length or whitened by PCA."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from analysis.clustering.kmeans import Rows
from analysis.clustering.scaling_kinds import ScalingKind

VERSION = 1
"""Of all scalings: raise it with their numbers."""
EXPLAINED = 0.95
"""Share of the variance that the whitened components hold."""
ROWS_PER_COMPONENT = 10
"""Whitening gives every component the same weight: one that few rows define would be noise blown up."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """A map from activations (n, D) to rows about zero, (n, E), fitted once and then the same for all."""

    kind: ScalingKind
    shift: NDArray[np.float64]
    """Mean of the rows that it was fitted to, after their lengths were made 1 for "l2", (D,)."""
    factors: NDArray[np.float64]
    """(D,), or for "pca" the whitening matrix (D, E)."""

    @property
    def width(self) -> int:
        """E: features of the scaled rows."""
        return int(self.factors.shape[-1])

    def __call__(self, activations: NDArray[Any]) -> Rows:
        """Scaled float32 rows."""
        rows = _unit_rows(activations) if self.kind == "l2" else np.asarray(activations, np.float32)
        rows = rows - self.shift.astype(np.float32)
        factors = self.factors.astype(np.float32)
        if self.kind == "pca":
            return np.asarray(rows @ factors)
        return rows if self.kind in ("none", "l2") else rows * factors


def fit_scaling(kind: ScalingKind, activations: NDArray[Any]) -> Scaling:
    """Fit to rows (N, D).

    none: as they are. zscore: each feature with deviation 1. l2: each row with length 1. pca: principal
    components with deviation 1, as many as hold 95 % of the variance, at most one per ten rows.
    """
    rows = _unit_rows(activations) if kind == "l2" else np.asarray(activations, np.float32)
    shift = rows.mean(axis=0, dtype=np.float64)
    if kind == "pca":
        return Scaling(kind, shift, _whitening(rows - shift))
    if kind == "zscore":
        deviation = rows.std(axis=0, dtype=np.float64)
        return Scaling(
            kind, shift, np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        )
    return Scaling(kind, shift, np.ones_like(shift))


def _unit_rows(activations: NDArray[Any]) -> Rows:
    rows = np.asarray(activations, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def _whitening(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Principal axes over their deviations, (D, E)."""
    count, width = centred.shape
    if count > width:
        variances, axes = scipy.linalg.eigh(centred.T @ centred / count)
    else:
        variances, sides = scipy.linalg.eigh(centred @ centred.T / count)
        lengths = np.sqrt(np.maximum(variances, np.finfo(np.float64).tiny) * count)
        axes = centred.T @ sides / lengths
    variances, axes = variances[::-1], axes[:, ::-1]
    shares = np.cumsum(variances) / variances.sum()
    kept = min(int(np.searchsorted(shares, EXPLAINED)) + 1, max(1, count // ROWS_PER_COMPONENT))
    return np.asarray(axes[:, :kept] / np.sqrt(variances[:kept]))
