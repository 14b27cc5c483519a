"""Distances between sets of sounds, from embeddings: the unbiased MMD (KAD), and FAD beside its floor.

KAD is the unbiased squared maximum mean discrepancy with a Gaussian kernel (Gretton et al. 2012), as kernel
audio distance (Chung et al. 2025, arXiv:2502.15602): the bandwidth is the median distance within the
reference, and values are multiplied by 100 as in their toolkit. It may be negative where sets are alike.

FAD is the Fréchet distance of two normal distributions. It is biased upwards where sounds are few, which its
floor shows: the distance of two sets of the same sizes, dealt at random from all the sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

KAD_SCALE = 100.0
FAD_DIMENSIONS = 32
"""Most principal axes kept: a covariance needs many more sounds than axes."""
SOUNDS_PER_DIMENSION = 4
FLOOR_SPLITS = 20
FEWEST_SOUNDS = 3


@dataclass(frozen=True, slots=True)
class FrechetDistance:
    """FAD of two sets, and what it is where both are drawn from one."""

    value: float
    floor: float
    dimensions: int


def kernel_distance(sounds: Floats, reference: Floats, *, bandwidth: float | None = None) -> float:
    """KAD of embeddings (n, E) and (m, E), n and m at least 2."""
    within, other, between = _kernels(sounds, reference, bandwidth or median_distance(reference))
    means = [kernel.sum() / (len(kernel) * (len(kernel) - 1)) for kernel in (within, other)]
    return float(KAD_SCALE * (sum(means) - 2 * between.mean()))


def paired_kernel_distance(
    sounds: Floats, reference: Floats, *, bandwidth: float | None = None
) -> Floats | None:
    """What each of n pairs adds to the KAD of paired embeddings (n, E), (n,); their mean is the KAD.

    No sound is compared with its own twin: twins are not independent, and sets that are the same have the
    distance 0. A contribution is the distance plus the first term of Hoeffding's decomposition (1948), which
    is what makes its error over pairs that of a mean. None below three pairs: of two, both add the same.

    Args:
        sounds: (n, E).
        reference: their twins, (n, E).
        bandwidth: of the kernel; by default the median distance within the reference.
    """
    if len(sounds) < FEWEST_SOUNDS:
        return None
    within, other, between = _kernels(sounds, reference, bandwidth or median_distance(reference))
    np.fill_diagonal(between, 0.0)
    means = (within + other - between - between.T).sum(axis=1) / (len(sounds) - 1)
    return np.asarray(KAD_SCALE * (2 * means - means.mean()))


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceSet:
    """Sounds in groups that others are compared with; prepared once for many comparisons."""

    embeddings: Floats
    """(m, E)"""
    groups: NDArray[np.intp]
    """Place of the group of each, (m,)."""
    bandwidth: float
    within: Floats
    """Mean kernel of each with the others, (m,)."""

    def by_group(self, contributions: Floats) -> Floats:
        """Contributions of rows (m,) to a mean as those of groups, (G,), of the same mean."""
        sums = np.bincount(self.groups, weights=contributions)
        return np.asarray(sums * len(sums) / len(contributions))


def reference_set(embeddings: Floats, groups: Sequence[str]) -> ReferenceSet:
    """Prepare a reference of embeddings (m, E) in groups (m,), m at least 2."""
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    bandwidth = median_distance(embeddings)
    return ReferenceSet(embeddings, places, bandwidth, _mean_of_others(embeddings, bandwidth))


def reference_distance(sounds: Floats, reference: ReferenceSet) -> tuple[Floats, Floats] | None:
    """KAD of embeddings (n, E) against a reference of G groups, as contributions; None below three sounds.

    Returns:
        What each sound adds, (n,), whose mean is the distance; and what each group of the reference adds to
        its error, (G,), of mean 0.
    """
    if len(sounds) < FEWEST_SOUNDS:
        return None
    within = _mean_of_others(sounds, reference.bandwidth)
    between = _kernel(sounds, reference.embeddings, reference.bandwidth)
    value = within.mean() + reference.within.mean() - 2 * between.mean()
    of_sounds = 2 * (within - within.mean()) - 2 * (between.mean(axis=1) - between.mean())
    of_reference = 2 * (reference.within - reference.within.mean()) - 2 * (
        between.mean(axis=0) - between.mean()
    )
    return KAD_SCALE * (value + of_sounds), reference.by_group(KAD_SCALE * of_reference)


def median_distance(embeddings: Floats) -> float:
    """Median distance between different rows; 1 where all are equal."""
    from scipy.spatial.distance import pdist

    found = float(np.median(pdist(embeddings))) if len(embeddings) > 1 else 0.0
    return found if found > 0 else 1.0


def frechet_distance(sounds: Floats, reference: Floats, *, random_seed: int = 0) -> FrechetDistance | None:
    """FAD in the principal axes of the reference; None where there are too few sounds for it to mean much.

    Every sound counts once: pass none twice.

    Args:
        sounds: embeddings (n, E).
        reference: (m, E).
        random_seed: of the splits that give the floor.
    """
    least = min(len(sounds), len(reference))
    dimensions = min(FAD_DIMENSIONS, sounds.shape[1], least // SOUNDS_PER_DIMENSION)
    if dimensions < 2:
        return None
    both = np.concatenate([sounds, reference]) @ principal_axes(reference, dimensions).T
    value = _frechet(both[: len(sounds)], both[len(sounds) :])
    return FrechetDistance(value, _floor(both, len(sounds), random_seed), dimensions)


def distance_in_axes(sounds: Floats, reference: Floats, dimensions: int) -> float:
    """Fréchet distance of (n, E) and (m, E) in the leading axes of the reference."""
    axes = principal_axes(reference, dimensions)
    return _frechet(sounds @ axes.T, reference @ axes.T)


def principal_axes(embeddings: Floats, count: int) -> Floats:
    """Leading axes of embeddings (n, E), (count, E); fewer where there are no more."""
    _, _, axes = np.linalg.svd(embeddings - embeddings.mean(axis=0), full_matrices=False)
    return np.asarray(axes[:count])


def _floor(both: Floats, count: int, random_seed: int) -> float:
    """Mean FAD of random splits into as many sounds as were compared."""
    random = np.random.default_rng(random_seed)
    splits = [random.permutation(len(both)) for _ in range(FLOOR_SPLITS)]
    return float(np.mean([_frechet(both[split[:count]], both[split[count:]]) for split in splits]))


_Kernels = tuple[Floats, Floats, Floats]
"""Within the sounds, within the reference, between them."""


def _kernel(one: Floats, other: Floats, bandwidth: float) -> Floats:
    from scipy.spatial.distance import cdist

    return np.asarray(np.exp(-cdist(one, other, "sqeuclidean") / (2 * bandwidth**2)))


def _mean_of_others(sounds: Floats, bandwidth: float) -> Floats:
    """Mean kernel of each sound with the others, (n,)."""
    kernel = _kernel(sounds, sounds, bandwidth)
    np.fill_diagonal(kernel, 0.0)
    return np.asarray(kernel.sum(axis=1) / (len(sounds) - 1))


def _kernels(sounds: Floats, reference: Floats, bandwidth: float) -> _Kernels:
    pairs = ((sounds, sounds), (reference, reference), (sounds, reference))
    within, other, between = (_kernel(*pair, bandwidth) for pair in pairs)
    np.fill_diagonal(within, 0.0)
    np.fill_diagonal(other, 0.0)
    return within, other, between


def _frechet(one: Floats, other: Floats) -> float:
    """Tr √(Σ₁Σ₂) from eigenvalues, whose real parts stay what they should be when Σ is nearly singular."""
    difference = one.mean(axis=0) - other.mean(axis=0)
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0.0)).sum()
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * roots)
