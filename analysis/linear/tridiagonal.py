"""Orthogonal reduction of a symmetric matrix to tridiagonal form, which makes many ridge penalties cheap.

For G = Q T Qᵀ, (G + p I)⁻¹ c = Q (T + p I)⁻¹ Qᵀ c: one reduction of (8/3) D³ operations serves all
penalties p and right-hand sides, at 2 D² a column for each of Q and Qᵀ (Golub & Van Loan 2013, section 8.3;
Eldén 1977 for ridge). Q is formed rather than kept as reflectors: products of matrices are what BLAS does
best, and NumPy lets other threads work meanwhile, which SciPy's LAPACK does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import Floats

VERSION = 1
"""Of factors that are kept: raise it with their numbers."""


@dataclass(frozen=True, slots=True)
class Tridiagonal:
    """Q and T of a positive semi-definite G = Q T Qᵀ."""

    rotation: Floats
    """Q without its first row and column, which are those of I, (D − 1, D − 1)."""
    diagonal: Floats
    """Of T, (D,)."""
    beside: Floats
    """Next to the diagonal of T, (D − 1,)."""

    def solve(self, cross: Floats, penalties: Sequence[float]) -> Floats:
        """Solutions v of (G + p I) v = cross for cross (D, R) and every p, (D, penalties · R)."""
        turned = _turned(self.rotation.T, cross)
        solved = [self._solve_tridiagonal(turned, penalty) for penalty in penalties]
        return _turned(self.rotation, np.concatenate(solved, axis=1))

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
    from scipy.linalg.lapack import dorgqr, dsytrd, dsytrd_lwork

    if len(gram) == 1:
        return Tridiagonal(np.zeros((0, 0)), gram[0].copy(), np.zeros(0))
    room, _ = dsytrd_lwork(len(gram), lower=1)
    reduced, diagonal, beside, scales, failed = dsytrd(gram.T, lower=1, lwork=int(room))
    assert not failed
    rotation, _, failed = dorgqr(np.asfortranarray(reduced[1:, :-1]), scales, int(room), overwrite_a=1)
    assert not failed
    return Tridiagonal(rotation, diagonal, beside)


def _turned(rotation: Floats, columns: Floats) -> Floats:
    """Q or Qᵀ times columns (D, R)."""
    return np.concatenate([columns[:1], rotation @ columns[1:]])
