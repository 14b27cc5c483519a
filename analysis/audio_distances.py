"""Distances between sets of sounds, from embeddings: the unbiased MMD (KAD), and FAD beside its floor.

KAD is the unbiased squared maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012), as kernel
audio distance (Chung et al. 2025, arXiv:2502.15602): the bandwidth is the median distance within the
reference, and values are multiplied by 100 as in their toolkit. It may be negative where sets are alike.
reference, and values are multiplied by 100 as in their toolkit. It may be below 0 where sets are alike.
which its floor shows: the distance of two halves of one set.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import Estimate, percentiles

Floats = NDArray[np.floating[Any]]

KAD_SCALE = 100.0
FAD_DIMENSIONS = 32
"""Most principal axes kept: a covariance needs many more sounds than axes."""
SOUNDS_PER_DIMENSION = 4
FLOOR_SPLITS = 10


@dataclass(frozen=True, slots=True)
class FrechetDistance:
    """FAD of two sets, and what it is between two halves of the reference."""

    value: float
    floor: float
    dimensions: int


def kernel_distance(sounds: Floats, reference: Floats, *, bandwidth: float | None = None) -> float:
    """KAD of embeddings (n, E) and (m, E), n and m at least 2."""
    within, other, between = _kernels(sounds, reference, bandwidth or median_distance(reference))
    means = [kernel.sum() / (len(kernel) * (len(kernel) - 1)) for kernel in (within, other)]
    return float(KAD_SCALE * (sum(means) - 2 * between.mean()))


def paired_kernel_distance(
    sounds: Floats, reference: Floats, draws: Floats, *, bandwidth: float | None = None
) -> Estimate:
    """KAD of paired embeddings (n, E), with an interval over draws of the pairs.

    No sound is compared with itself, also when it is drawn twice, nor with its own twin: twins are not
    independent, and sets that are the same have the distance 0.

    Args:
        sounds: (n, E).
        reference: their twins, (n, E).
        draws: how often each pair is drawn, (R, n).
        bandwidth: of the kernel; by default the median distance within the reference.
    """
    if len(sounds) < 2:
        return Estimate(np.nan, np.nan, np.nan)
    kernels = _kernels(sounds, reference, bandwidth or median_distance(reference))
    np.fill_diagonal(kernels[2], 0.0)
    ones = np.ones((1, len(sounds)))
    value = float(_paired(kernels, ones)[0])
    return Estimate(value, *percentiles(_paired(kernels, draws)))


def median_distance(embeddings: Floats) -> float:
    """Median distance between different rows; 1 where all are equal."""
    from scipy.spatial.distance import pdist

    found = float(np.median(pdist(embeddings))) if len(embeddings) > 1 else 0.0
    return found if found > 0 else 1.0


def frechet_distance(sounds: Floats, reference: Floats, *, random_seed: int = 0) -> FrechetDistance | None:
    """FAD in the principal axes of the reference; None where there are too few sounds for it to mean much.

    Args:
        sounds: embeddings (n, E).
        reference: (m, E).
        random_seed: of the halves that give the floor.
    """
    least = min(len(sounds), len(reference) // 2)
    dimensions = min(FAD_DIMENSIONS, sounds.shape[1], least // SOUNDS_PER_DIMENSION)
    if dimensions < 2:
        return None
    mean = reference.mean(axis=0)
    _, _, axes = np.linalg.svd(reference - mean, full_matrices=False)
    kept = axes[:dimensions].T
    one, other = (sounds - mean) @ kept, (reference - mean) @ kept
    random = np.random.default_rng(random_seed)
    halves = [random.permutation(len(other)) for _ in range(FLOOR_SPLITS)]
    middle = len(other) // 2
    floor = float(np.mean([_frechet(other[half[:middle]], other[half[middle:]]) for half in halves]))
    return FrechetDistance(_frechet(one, other), floor, dimensions)


_Kernels = tuple[Floats, Floats, Floats]
"""Within the sounds, within the reference, between them."""


def _kernels(sounds: Floats, reference: Floats, bandwidth: float) -> _Kernels:
    from scipy.spatial.distance import cdist

    pairs = ((sounds, sounds), (reference, reference), (sounds, reference))
    within, other, between = (np.exp(-cdist(a, b, "sqeuclidean") / (2 * bandwidth**2)) for a, b in pairs)
    np.fill_diagonal(within, 0.0)
    np.fill_diagonal(other, 0.0)
    return within, other, between


def _paired(kernels: _Kernels, weights: Floats) -> Floats:
    """The U-statistic of pairs with weights (R, n), (R,); kernels have zeros on their diagonals."""
    within, other, between = kernels
    combined = within + other - between - between.T
    pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.einsum("ri,ij,rj->r", weights, combined, weights, optimize=True) / pairs
    return np.asarray(KAD_SCALE * means)


def _frechet(one: Floats, other: Floats) -> float:
    """Tr √(Σ₁Σ₂) from eigenvalues, whose real parts stay what they should be when Σ is nearly singular."""
    difference = one.mean(axis=0) - other.mean(axis=0)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0.0)).sum()
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * roots)
