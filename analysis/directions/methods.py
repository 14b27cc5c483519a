"""Linear algebra that the methods of directions share: ridge paths, discriminants, LEACE, reading vectors.

Sources: mean difference and mass mean (Marks and Tegmark, arXiv 2310.06824), reading vectors (Zou et al.,
arXiv 2310.01405), LEACE (Belrose et al., arXiv 2306.03819), ridge probes (arXiv 2506.10225).
"""

import numpy as np
import scipy.linalg

from analysis.linear.contrast_moments import ClassMoments, ContrastMoments
from analysis.linear.moments import Floats
from analysis.linear.tridiagonal import tridiagonalise

PENALTIES: Floats = np.logspace(-4, 4, 9)
"""Penalties tried, over the mean variance of the axes: from hardly any to (almost) the mean difference."""


def mean_variance(eigenvalues: Floats) -> float:
    """Mean of a scatter's eigenvalues (ascending) over the axes that the rows span; the unit of penalties."""
    spanned = int((eigenvalues > 1e-12 * eigenvalues[-1]).sum())
    return float(eigenvalues.sum()) / max(spanned, 1)


def ridge_path(training: ContrastMoments, penalties: Floats = PENALTIES) -> Floats:
    """Weights (S, M, r) of least squares on ±1 with a free intercept and the penalty λ‖w‖².

    λ is penalty × `mean_variance`. The weights are (scatter + λ)⁻¹ times the mean difference: a
    discriminant (LDA) where λ is small, the mean difference where it is large.
    """
    shifts = np.asarray(penalties) * mean_variance(training.eigenvalues)
    rotated = 2 * training.between[:, np.newaxis] * training.differences @ training.axes
    damping = training.eigenvalues + shifts[:, np.newaxis, np.newaxis]
    damped = rotated / np.where(damping > 0, damping, np.inf)
    return np.asarray(damped @ training.axes.T)


def ridge_path_without_axes(training: ClassMoments, penalties: Floats = PENALTIES) -> Floats:
    """Directions for every penalty, like `ridge_path`, at a quarter of what finding the axes costs."""
    reduced = tridiagonalise(training.scatter)
    eigenvalues = scipy.linalg.eigvalsh_tridiagonal(reduced.diagonal, reduced.beside)
    shifts = np.asarray(penalties) * mean_variance(np.maximum(eigenvalues, 0.0))
    cross = (2 * training.between[:, np.newaxis] * training.differences).T
    solved = reduced.solve(cross, shifts.tolist())
    return np.asarray(solved.T.reshape(len(shifts), cross.shape[1], -1))


def ledoit_wolf_penalty(training: ContrastMoments, width: int) -> float:
    """The λ that makes scatter + λ proportional to Ledoit and Wolf's covariance (2004); inf for the identity.

    Args:
        training: moments of the rows.
        width: D; the rows may stand in fewer axes.
    """
    rows = training.rows
    if not rows:
        return float("inf")
    scale = float(training.eigenvalues.sum()) / (rows * width)
    squares = float((training.eigenvalues**2).sum()) / rows**2
    spread = (squares - width * scale**2) / width
    noise = (training.fourth / rows - squares) / (width * rows)
    if spread <= 0 or noise >= spread:
        return float("inf")
    shrinkage = noise / spread
    return shrinkage / (1 - shrinkage) * scale * rows


def discriminants(training: ContrastMoments, penalty: float) -> Floats:
    """(scatter + penalty)⁻¹ (μ₊ − μ₋), (M, r): mass mean, or Fisher's discriminant.

    The scatter about the common mean gives the direction that the scatter within the classes gives, since
    the two differ by a multiple of the mean difference's outer product.
    """
    if not np.isfinite(penalty):
        return training.differences
    least = max(penalty, 1e-12 * float(training.eigenvalues[-1]), np.finfo(np.float64).tiny)
    solved: Floats = (training.differences @ training.axes / (training.eigenvalues + least)) @ training.axes.T
    return solved


def eraser_readers(training: ContrastMoments, penalty: float) -> Floats:
    """What LEACE reads off a row to erase a contrast, (M, r): q with q · δ̂ = 1, δ̂ the unit mean difference.

    x − δ̂ (q · (x − μ)) is Belrose et al.'s x − W⁺ P W (x − μ), with W the whitening of the covariance and P
    the projection on W δ: for two classes P is of rank one, so that q = Σ⁻¹ δ over its part along δ̂. Whatever
    Σ is, no covariance with the label is left; with this Σ the rows change least. The penalty is that of
    `discriminants`.
    """
    read = discriminants(training, penalty)
    lengths = np.linalg.norm(training.differences, axis=1, keepdims=True)
    along = (read * training.differences).sum(axis=1, keepdims=True)
    return np.asarray(read * lengths / np.where(along > 0, along, np.inf))


def reading_vector(training: ContrastMoments, contrast: int, products: Floats) -> Floats:
    """First principal axis of all differences positive − negative, (r,), positives on its positive side.

    Over all pairs their second moment is Σ₊ + Σ₋ + d dᵀ, so no pairs have to be drawn. Zeros without
    positives or negatives.

    Args:
        training: moments of the rows.
        contrast: which of its contrasts.
        products: sum of x xᵀ over the positive rows, (r, r).
    """
    difference = training.differences[contrast]
    if not training.has_both[contrast]:
        return np.zeros_like(difference)
    positives = float(training.positives[contrast])
    negatives = training.rows - positives
    center = training.mean + difference * (negatives / training.rows)
    within = products - positives * np.outer(center, center)
    others = training.scatter - within - training.between[contrast] * np.outer(difference, difference)
    moment = within / positives + others / negatives + np.outer(difference, difference)
    last = len(moment) - 1
    _, axis = scipy.linalg.eigh(moment, subset_by_index=[last, last])
    return np.asarray(axis[:, 0] * (1.0 if axis[:, 0] @ difference >= 0 else -1.0))
