"""Maps of vectors in a plane: principal components from one pass over them, or their neighbours by UMAP.

Principal components need the moments of all vectors and then one pass more: what is held is a block and a
matrix of features by features. UMAP (McInnes et al. 2018, arXiv:1802.03426) sees the first components alone.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.linear.moments import added, moments_of, training_of
from analysis.neighbours import Numbers, Read, blocks, read_ahead
from store.errors import InvalidInput

VERSION = 1
"""Of maps that are kept: raise it with their numbers."""
SEEN_COMPONENTS = 50
"""Principal components that UMAP sees, and trust is measured in."""
NEIGHBOURS = 15
"""That UMAP keeps together."""
TRUSTED_NEIGHBOURS = 10
TRUSTED_POINTS = 2000
"""Points that trust is measured on, at most: it needs all distances between them."""
LEAST_VECTORS = 3

Floats = NDArray[np.float64]
Points = NDArray[np.float64]
"""(n, 2)."""
Advance = Callable[[int, int], None]
"""Is called with how much is done, and of how much."""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Principal axes of vectors, the widest first."""

    mean: Floats
    """(D,)."""
    axes: Floats
    """(K, D), each of length 1; its largest entry is positive, so that a map never flips."""
    shares: Floats
    """Share of the variance along each, (K,)."""


def principal_components(read: Read, numbers: Numbers, count: int) -> Components:
    """The widest axes of some vectors, from one pass over them.

    Args:
        read: gives vectors by their numbers; it is asked for a block at a time.
        numbers: which vectors.
        count: how many axes are wanted; fewer where there are fewer features.

    Raises:
        InvalidInput: there are too few vectors, or some hold what is no number.
    """
    from scipy.linalg import eigh

    if len(numbers) < LEAST_VECTORS:
        raise InvalidInput(f"{len(numbers)} vectors make no map: at least {LEAST_VECTORS} are needed.")
    shift: Floats = np.asarray(read(numbers[:1])[0], np.float64)
    parts = (
        moments_of(rows, np.zeros(len(rows), np.int8), 1, shift)
        for _, rows in read_ahead(read, blocks(numbers))
    )
    total = reduce(added, parts)
    if not np.isfinite(total.grams).all():
        raise InvalidInput("Some of the vectors are not finite, and have no place on a map.")
    mean = training_of(total, [0], standardise=False).mean
    scatter = total.grams[0] - len(numbers) * np.outer(mean, mean)
    width = len(shift)
    kept = min(count, width)
    values, axes = eigh(scatter, subset_by_index=[width - kept, width - 1])
    axes = axes.T[::-1]
    axes = axes * np.sign(axes[np.arange(kept), np.abs(axes).argmax(axis=1)])[:, np.newaxis]
    whole = float(np.trace(scatter))
    shares = np.maximum(values[::-1], 0) / whole if whole > 0 else np.zeros(kept)
    return Components(shift + mean, axes, shares)


def projected(read: Read, numbers: Numbers, onto: Components) -> Floats:
    """Coordinates of some vectors along principal axes, (n, K)."""
    found = np.empty((len(numbers), len(onto.axes)))
    done = 0
    for block, rows in read_ahead(read, blocks(numbers)):
        found[done : done + len(block)] = (rows - onto.mean) @ onto.axes.T
        done += len(block)
    return found


def in_a_plane(coordinates: Floats) -> Points:
    """The first two coordinates; the second is 0 where there is one."""
    return np.pad(coordinates[:, :2], ((0, 0), (0, max(0, 2 - coordinates.shape[1]))))


def neighbour_map(coordinates: Floats, *, seed: int, advance: Advance) -> Points:
    """Points in a plane that keep the neighbours of coordinates (n, K), by UMAP.

    Raises:
        InvalidInput: the library is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it can do without, such as TensorFlow
            from umap import UMAP
    except ImportError as error:
        raise InvalidInput(
            'The method "umap" needs the package umap-learn (pip install umap-learn); "pca" needs none.'
        ) from error
    layout = UMAP(
        n_neighbors=min(NEIGHBOURS, len(coordinates) - 1),
        init="pca" if len(coordinates) > coordinates.shape[1] else "random",
        random_state=seed,
        n_jobs=1,
        tqdm_kwds={"file": _Bar(advance), "disable": False, "bar_format": "{n_fmt}/{total_fmt}\n"},
    )
    found: Points = np.asarray(layout.fit_transform(coordinates.astype(np.float32)), np.float64)
    return found


class _Bar:
    """A text file that hears what a progress bar writes: the library tells its progress in no other way."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def write(self, text: str) -> None:
        if heard := re.search(r"(\d+)/(\d+)", text):
            self._advance(int(heard[1]), int(heard[2]))

    def flush(self) -> None:
        """Nothing waits here."""


def trust(coordinates: Floats, points: Points, *, seed: int) -> float:
    """Trustworthiness: 1 where neighbours on the map are neighbours in truth, about 0.5 by chance.

    (Venna & Kaski 2001, doi:10.1007/3-540-44668-0_68), on some of the points where they are many.
    """
    from sklearn.manifold import trustworthiness

    drawn = np.random.default_rng(seed).permutation(len(points))[:TRUSTED_POINTS]
    nearest = min(TRUSTED_NEIGHBOURS, (len(drawn) - 1) // 2)
    if nearest < 1:
        return 1.0
    return float(trustworthiness(coordinates[drawn], points[drawn], n_neighbors=nearest))


def turned_to(points: Points, other: Points, shared: Sequence[int], there: Sequence[int]) -> Points:
    """Points shifted, turned, mirrored and scaled as a whole to lie as near as can be to others.

    Args:
        points: (n, 2).
        other: (m, 2).
        shared: places of points that have a partner.
        there: places of their partners.
    """
    wanted = other[list(there)]
    middle, aim = points[list(shared)].mean(axis=0), wanted.mean(axis=0)
    own = points[list(shared)] - middle
    left, lengths, right = np.linalg.svd(own.T @ (wanted - aim))
    size = float((own**2).sum())
    scale = float(lengths.sum()) / size if size > 0 else 1.0
    turned: Points = scale * (points - middle) @ (left @ right) + aim
    return turned


def within(points: NDArray[Any], polygon: NDArray[Any]) -> NDArray[np.bool_]:
    """Which points (n, 2) lie inside a closed line, by how often a ray crosses it (even–odd), (n,).

    Raises:
        InvalidInput: the line has fewer than three corners, or some that are no numbers.
    """
    corners = np.asarray(polygon, np.float64)
    if corners.ndim != 2 or corners.shape[1:] != (2,) or len(corners) < 3 or not np.isfinite(corners).all():
        raise InvalidInput(
            f"A polygon of the shape {corners.shape} encloses nothing: give at least three corners (x, y)."
        )
    x, y = np.asarray(points, np.float64).T
    inside = np.zeros(len(x), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        spans = (y0 > y) != (y1 > y)
        slope = (x1 - x0) / (y1 - y0) if y1 != y0 else 0.0
        inside ^= spans & (x < x0 + slope * (y - y0))
    return inside
