"""Superposition: do directions of one site overlap more than random ones would?

Gram matrix and baselines of random vectors; feature dimensionality after Elhage et al., "Toy Models of
Superposition" (transformer-circuits.pub/2022/toy_model); Welch bound (1974); effective rank (Roy and Vetterli
2007).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Superposition:
    """Of n unit vectors in D dimensions."""

    gram: Floats
    """Cosines, (n, n)."""
    mean_cosine: float
    """Mean |cosine| of two different vectors; 0 for a single one."""
    largest_cosine: float
    random_cosine: float
    """√(2 / πD): the mean |cosine| of random vectors."""
    welch_bound: float
    """No n vectors have a smaller largest |cosine|; 0 where n ≤ D."""
    effective_rank: float
    """exp of the entropy of the normalised singular values: n where orthogonal, 1 where all are the same."""
    participation_ratio: float
    """(Σλ)² / Σλ² of the Gram matrix's eigenvalues λ."""
    dimensionality: Floats
    """1 / Σⱼ cos², (n,): the share of a dimension that each has for itself."""
    norm_left: Floats
    """Length of what is left of each after the others are projected out, (n,)."""


def superposition(vectors: NDArray[np.floating]) -> Superposition:
    """Report on directions (n, D), which are taken at length 1."""
    units = np.asarray(vectors, np.float64)
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    count, width = units.shape
    gram = units @ units.T
    others = np.abs(gram[~np.eye(count, dtype=bool)])
    return Superposition(
        gram=gram,
        mean_cosine=float(others.mean()) if count > 1 else 0.0,
        largest_cosine=float(others.max()) if count > 1 else 0.0,
        random_cosine=random_cosine(width),
        welch_bound=welch_bound(count, width),
        effective_rank=effective_rank(units),
        participation_ratio=count**2 / float((gram**2).sum()),
        dimensionality=1 / (gram**2).sum(axis=1),
        norm_left=norms_left(units),
    )


def random_cosine(width: int) -> float:
    """Mean |cosine| of two random directions in `width` dimensions, nearly: √(2 / πD)."""
    return math.sqrt(2 / (math.pi * width))


def welch_bound(count: int, width: int) -> float:
    """Smallest possible largest |cosine| of `count` unit vectors in `width` dimensions."""
    return math.sqrt((count - width) / (width * (count - 1))) if count > width else 0.0


def effective_rank(vectors: Floats) -> float:
    """Exponential of the entropy of the singular values, normalised to sum 1."""
    singular = np.linalg.svd(vectors, compute_uv=False)
    shares = singular / singular.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def norms_left(units: Floats) -> Floats:
    """Of each vector, the length of its part that is orthogonal to all others, (n,)."""
    left = []
    for place, vector in enumerate(units):
        rest = np.delete(units, place, axis=0)
        explained = np.linalg.lstsq(rest.T, vector, rcond=None)[0] @ rest if len(rest) else 0.0
        left.append(float(np.linalg.norm(vector - explained)))
    return np.array(left)
