"""Orthogonal reduction of a symmetric matrix to tridiagonal form, which makes many ridge penalties cheap.

For G = Q T Qᵀ, (G + p I)⁻¹ c = Q (T + p I)⁻¹ Qᵀ c: one reduction of (4/3) D³ operations serves all
penalties p and right-hand sides, at 4 D² a column. It costs as much as three or four factorisations by
Cholesky and a fifth of the eigendecomposition (Golub & Van Loan 2013, section 8.3; Eldén 1977 for ridge).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.moments import Floats

BLOCK = 64
"""Workspace columns per column of a product: the block size of LAPACK."""


@dataclass(frozen=True, slots=True)
class Tridiagonal:
    """Q and T of a positive semi-definite G = Q T Qᵀ."""

    reflectors: NDArray[np.float64]
    """Householder vectors below the diagonal, in LAPACK's order (column-major), (D − 1, D − 1)."""
    scales: Floats
    """Of the reflectors, (D − 1,)."""
    diagonal: Floats
    """Of T, (D,)."""
    beside: Floats
    """Next to the diagonal of T, (D − 1,)."""

    def solve(self, cross: Floats, penalties: Sequence[float]) -> Floats:
        """Solutions v of (G + p I) v = cross for cross (D, R) and every p, (D, penalties · R)."""
        turned = self._turned(cross, "T")
        solved = [self._solve_tridiagonal(turned, penalty) for penalty in penalties]
        return self._turned(np.concatenate(solved, axis=1), "N")

    def _turned(self, columns: Floats, how: Literal["T", "N"]) -> Floats:
        """Qᵀ (how "T") or Q (how "N") times columns (D, R)."""
        from scipy.linalg.lapack import dormqr

        if len(columns) == 1:
            return columns
        turned = np.asfortranarray(columns)
        room = max(1, BLOCK * columns.shape[1])
        below, _, failed = dormqr("L", how, self.reflectors, self.scales, turned[1:], room)
        assert not failed
        return np.concatenate([turned[:1], below])

    def _solve_tridiagonal(self, cross: Floats, penalty: float) -> Floats:
        """By Cholesky; where rounding leaves the matrix indefinite, by its eigenvalues above zero."""
        from scipy.linalg import eigh_tridiagonal
        from scipy.linalg.lapack import dptsv

        shifted = self.diagonal + penalty
        if len(shifted) == 1:
            return np.asarray(cross / shifted)
        _, _, solution, failed = dptsv(shifted, self.beside, cross)
        if not failed:
            return np.asarray(solution)
        values, vectors = eigh_tridiagonal(self.diagonal, self.beside)
        kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
        basis: NDArray[Any] = vectors[:, kept]
        return np.asarray(basis @ ((basis.T @ cross) / (values[kept] + penalty)[:, np.newaxis]))


def tridiagonalise(gram: Floats) -> Tridiagonal:
    """Reduce a symmetric matrix (D, D)."""
    from scipy.linalg.lapack import dsytrd, dsytrd_lwork

    if len(gram) == 1:
        return Tridiagonal(np.zeros((0, 0)), np.zeros(0), gram[0].copy(), np.zeros(0))
    room, _ = dsytrd_lwork(len(gram), lower=1)
    reduced, diagonal, beside, scales, failed = dsytrd(gram.T, lower=1, lwork=int(room))
    assert not failed
    return Tridiagonal(np.asfortranarray(reduced[1:, :-1]), scales, diagonal, beside)
