"""Coordinates in the space that rows span: where N ≤ D, a linear method sees fewer than N axes.

Ridge, logistic regression with an L2 penalty, discriminants and mean differences have their solutions in that
space, and an orthonormal change of coordinates alters none of them: a fit in r axes is the fit in D.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

Floats = np.ndarray[Any, np.dtype[np.float64]]

SMALLEST_SHARE = 1e-12
"""Axes whose share of the largest variance is below this hold rounding errors only."""


@dataclass(frozen=True, slots=True)
class RowSpace:
    """Rows (N, D) about their mean, in r orthonormal axes that hold all of them."""

    mean: Floats
    """Of the rows, (D,)."""
    basis: Floats | None
    """(r, D), orthonormal; None where the axes are the D features themselves."""
    coordinates: Floats
    """(N, r), column means zero."""

    def embedded(self, vectors: Floats) -> Floats:
        """Vectors (…, r) as vectors (…, D) of the same length."""
        return vectors if self.basis is None else vectors @ self.basis

    def reduced(self, vectors: Floats) -> Floats:
        """What the rows see of vectors (…, D): their parts within the space, (…, r)."""
        return vectors if self.basis is None else vectors @ self.basis.T


def row_space(rows: np.ndarray) -> RowSpace:
    """The space of rows (N, D): the features themselves where N > D, else the axes of the Gram matrix."""
    centred = np.asarray(rows, np.float64)
    mean = centred.mean(axis=0)
    centred = centred - mean
    count, width = centred.shape
    if count > width:
        return RowSpace(mean, None, centred)
    variances, axes = scipy.linalg.eigh(centred @ centred.T, driver="evd")
    kept = variances > SMALLEST_SHARE * max(float(variances[-1]), np.finfo(np.float64).tiny)
    lengths = np.sqrt(variances[kept])
    return RowSpace(mean, (axes[:, kept] / lengths).T @ centred, axes[:, kept] * lengths)
