"""Coordinates in the space that rows span: where N ≤ D, a linear method sees fewer than N axes.

Ridge, logistic regression with an L2 penalty, discriminants and mean differences have their solutions in that
space, and an orthonormal change of coordinates alters none of them: a fit in r axes is the fit in D.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from analysis.linear.moments import Floats
from analysis.linear.row_blocks import CentredRows, HeldRows, RowBlocks, as_blocks, solves_by_rows

SMALLEST_SHARE = 1e-12
"""Axes whose share of the largest variance is below this hold rounding errors only."""


@dataclass(frozen=True, slots=True)
class RowSpace:
    """Rows (N, D) about their mean, in r orthonormal axes that hold all of them."""

    mean: Floats
    """Of the rows, (D,)."""
    basis: Floats | None
    """(r, D), orthonormal; None where the axes are the D features themselves."""
    centred: CentredRows
    """The rows in these axes, column means zero."""

    @property
    def axes(self) -> int:
        """How many axes there are, r."""
        return self.centred.shape[2]

    @property
    def coordinates(self) -> Floats:
        """All rows at once, (N, r): what blocks give where memory does not matter."""
        return np.concatenate([block for _, block in self.blocks()])

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """The rows in fixed blocks (n, r), each with its place; a pass over them."""
        for place, block in self.centred.blocks():
            yield place, block[0]

    def embedded(self, vectors: Floats) -> Floats:
        """Vectors (…, r) as vectors (…, D) of the same length."""
        return vectors if self.basis is None else vectors @ self.basis

    def reduced(self, vectors: Floats) -> Floats:
        """What the rows see of vectors (…, D): their parts within the space, (…, r)."""
        return vectors if self.basis is None else vectors @ self.basis.T


def row_space(rows: NDArray[Any] | RowBlocks) -> RowSpace:
    """The space of rows (N, D): the features themselves where N > D, else the axes of the Gram matrix."""
    given = as_blocks(rows)
    if not solves_by_rows(given):
        return features_about(given, sum(block.sum(axis=0, dtype=np.float64) for _, block in given.blocks()))
    centred = np.asarray(given.whole(), np.float64)
    mean = centred.mean(axis=0)
    centred = centred - mean
    variances, axes = scipy.linalg.eigh(centred @ centred.T, driver="evd")
    kept = variances > SMALLEST_SHARE * max(float(variances[-1]), np.finfo(np.float64).tiny)
    lengths = np.sqrt(variances[kept])
    coordinates = axes[:, kept] * lengths
    held = CentredRows([HeldRows(coordinates)], [np.zeros(coordinates.shape[1])])
    return RowSpace(mean, (axes[:, kept] / lengths).T @ centred, held)


def features_about(rows: RowBlocks, total: Floats) -> RowSpace:
    """The space of more rows than features, whose sum is known: nothing but a block of them is held."""
    mean = total / len(rows)
    return RowSpace(mean, None, CentredRows([rows], [mean]))
