"""Distances between sets of sounds, from embeddings: the unbiased MMD (KAD), and FAD beside its floor.

KAD is the unbiased squared maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012), as kernel
audio distance (Chung et al. 2025, arXiv:2502.15602): the bandwidth is the median distance within the
reference, and values are multiplied by 100 as in their toolkit. It may be negative where sets are alike.

FAD is the Fréchet distance of two normal distributions. It is biased upwards where sounds are few, which its
floor shows: the distance of two halves of one set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.paired_intervals import RESAMPLES, Estimate, percentiles

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


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSet:
    """Sounds that others are compared with, drawn anew by groups; prepared once for many comparisons."""

    embeddings: Floats
    """(m, E)"""
    draws: Floats
    """How often each is drawn, (R, m)."""
    bandwidth: float
    within: Floats
    """Mean kernel among them, in all of them and in each draw, (1 + R,)."""


def reference_set(
    embeddings: Floats, groups: Sequence[str], *, resamples: int = RESAMPLES, random_seed: int = 0
) -> ReferenceSet:
    """Prepare a reference of embeddings (m, E) in groups (m,); drawn with replacement, group by group."""
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    random = np.random.default_rng(random_seed)
    share = np.full(len(names), 1 / len(names))
    draws = random.multinomial(len(names), share, size=resamples)[:, places].astype(np.float64)
    bandwidth = median_distance(embeddings)
    kernel = _kernel(embeddings, embeddings, bandwidth)
    np.fill_diagonal(kernel, 0.0)
    weights = np.concatenate([np.ones((1, len(places))), draws])
    return ReferenceSet(embeddings, draws, bandwidth, _mean_of_pairs(kernel, weights))


def reference_distance(sounds: Floats, reference: ReferenceSet, draws: Floats) -> Estimate:
    """KAD of embeddings (n, E) against a reference, over draws of the sounds (R, n) and of the reference."""
    if len(sounds) < 2 or len(draws) != len(reference.draws):
        return Estimate(np.nan, np.nan, np.nan)
    kernel = _kernel(sounds, sounds, reference.bandwidth)
    np.fill_diagonal(kernel, 0.0)
    weights = np.concatenate([np.ones((1, len(sounds))), draws])
    others = np.concatenate([np.ones((1, len(reference.embeddings))), reference.draws])
    between = ((weights @ _kernel(sounds, reference.embeddings, reference.bandwidth)) * others).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = between / (weights.sum(axis=1) * others.sum(axis=1))
    values = KAD_SCALE * (_mean_of_pairs(kernel, weights) + reference.within - 2 * between)
    return Estimate(float(values[0]), *percentiles(values[1:]))


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


def _kernel(one: Floats, other: Floats, bandwidth: float) -> Floats:
    from scipy.spatial.distance import cdist

    return np.asarray(np.exp(-cdist(one, other, "sqeuclidean") / (2 * bandwidth**2)))


def _mean_of_pairs(kernel: Floats, weights: Floats) -> Floats:
    """Mean over pairs of different rows with weights (R, n), (R,); the kernel's diagonal is 0."""
    pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(((weights @ kernel) * weights).sum(axis=1) / pairs)


def _kernels(sounds: Floats, reference: Floats, bandwidth: float) -> _Kernels:
    pairs = ((sounds, sounds), (reference, reference), (sounds, reference))
    within, other, between = (_kernel(*pair, bandwidth) for pair in pairs)
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
