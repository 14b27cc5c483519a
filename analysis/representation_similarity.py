"""Linear CKA of two representations of the same clips, debiased, from moments that blocks add up to.

The debiased form (Song et al. 2012's estimate of HSIC, as in Nguyen, Raghu & Kornblith 2021) leaves the
diagonals of both Gram matrices out, so that representations which share nothing give 0 on average, however
few clips there are; the plain form gives more the wider they are. All its terms are sums over clips and one
product XᵀY of features: no matrix of clips by clips is made.

The interval is a jackknife over parts of whole groups, each left out once. A bootstrap would put clips
beside copies of themselves, which the debiasing takes for similar ones.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from store.errors import InvalidInput

VERSION = 1
"""Of what is kept: raise it with its numbers."""
PARTS = 20
"""Parts of the jackknife; fewer where there are fewer groups."""
LEAST_CLIPS = 8
"""For all parts but one, so that every term of the estimate has clips to stand on."""
LEVEL = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairMoments:
    """Sums over clips of rows x and y; sums of several blocks add up."""

    clips: float
    product: Floats
    """Σ x yᵀ, (D, D′)."""
    x: Floats
    y: Floats
    squares_x: float
    """Σ |x|²."""
    squares_y: float
    squares_xy: float
    """Σ |x|² |y|²."""
    x_by_y: Floats
    """Σ x |y|²."""
    y_by_x: Floats

    def __add__(self, other: PairMoments) -> PairMoments:
        """The moments of both blocks."""
        return self._combined(other, 1.0)

    def __sub__(self, other: PairMoments) -> PairMoments:
        """The moments without those of a block."""
        return self._combined(other, -1.0)

    def _combined(self, other: PairMoments, sign: float) -> PairMoments:
        names = (field.name for field in fields(self))
        return PairMoments(**{name: getattr(self, name) + sign * getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two representations are: 1 up to rotation, shift and scale, 0 where they share nothing."""

    cka: float
    low: float
    high: float
    parts: int
    """Of the jackknife."""


def pair_moments(x: NDArray[Any], y: NDArray[Any]) -> PairMoments:
    """Moments of a block of rows (n, D) and (n, D′), shifted alike in all blocks and near their means."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    squares_a, squares_b = np.einsum("nd,nd->n", a, a), np.einsum("nd,nd->n", b, b)
    return PairMoments(
        clips=float(len(a)),
        product=a.T @ b,
        x=a.sum(axis=0),
        y=b.sum(axis=0),
        squares_x=float(squares_a.sum()),
        squares_y=float(squares_b.sum()),
        squares_xy=float(squares_a @ squares_b),
        x_by_y=squares_b @ a,
        y_by_x=squares_a @ b,
    )


def debiased_hsic(moments: PairMoments) -> float:
    """Song's unbiased estimate of HSIC of two linear kernels, times n (n − 3)."""
    m, n = moments, moments.clips
    trace = float((m.product**2).sum()) - m.squares_xy
    sum_k = float(m.x @ m.x) - m.squares_x
    sum_l = float(m.y @ m.y) - m.squares_y
    by_rows = float(m.x @ m.product @ m.y) - float(m.x @ m.x_by_y) - float(m.y @ m.y_by_x) + m.squares_xy
    return trace + sum_k * sum_l / ((n - 1) * (n - 2)) - 2 * by_rows / (n - 2)


def similarity(across: list[PairMoments], of_x: list[PairMoments], of_y: list[PairMoments]) -> Similarity:
    """Debiased CKA with its interval, from the moments of each part, of x with y, x with x, y with y."""
    wholes = [_total(one) for one in (across, of_x, of_y)]
    if min(wholes[0].clips - part.clips for part in across) < LEAST_CLIPS or len(across) < 2:
        raise InvalidInput(
            f"{wholes[0].clips:g} clips in {len(across)} parts of groups are too few to compare: at least "
            f"two groups and {LEAST_CLIPS} clips beside each part are needed."
        )
    value = _cka(*wholes)
    left_out = np.array(
        [
            _cka(*(whole - part for whole, part in zip(wholes, parts, strict=True)))
            for parts in zip(across, of_x, of_y, strict=True)
        ]
    )
    count = len(left_out)
    deviation = float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
    reach = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * deviation
    return Similarity(value, value - reach, float(np.minimum(1.0, value + reach)), count)


def parts_of(groups: NDArray[Any], *, seed: int = 0) -> NDArray[np.int64]:
    """The part of each clip: whole groups, dealt out by lot to parts of about equally many."""
    names, codes = np.unique(groups, return_inverse=True)
    count = min(PARTS, len(names))
    dealt = np.random.default_rng(seed).permutation(len(names)) % max(count, 1)
    return np.asarray(dealt[codes], np.int64)


def _cka(across: PairMoments, of_x: PairMoments, of_y: PairMoments) -> float:
    own = debiased_hsic(of_x) * debiased_hsic(of_y)
    return debiased_hsic(across) / float(np.sqrt(own)) if own > 0 else float("nan")


def _total(parts: list[PairMoments]) -> PairMoments:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
