"""k-means++ starts, several at once: what scikit-learn draws, in a fraction of its time."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.clustering.kmeans import Rows


def plus_plus_starts(rows: Rows, k: int, seeds: Sequence[int]) -> list[Rows]:
    """Centres (k, D) for each seed, drawn from rows (N, D) that lie about zero.

    Arthur and Vassilvitskii (2007), greedy: each centre is the best of 2 + ln k rows, which are drawn with
    odds in proportion to their squared distance from the centres there are.
    """
    draws = [np.random.RandomState(seed) for seed in seeds]  # scikit-learn's generator
    squares = np.einsum("nd,nd->n", rows, rows, dtype=np.float64)
    first = np.array([draw.choice(len(rows), p=np.full(len(rows), 1 / len(rows))) for draw in draws])
    chosen = [first]
    closest = _squared_distances(rows, squares, first)
    trials = 2 + int(math.log(k))
    for _ in range(1, k):
        candidates = _drawn(draws, closest, trials)
        distances = _squared_distances(rows, squares, candidates.ravel()).reshape(len(seeds), trials, -1)
        np.minimum(distances, closest[:, np.newaxis], out=distances)
        best = distances.sum(axis=2).argmin(axis=1)
        starts = np.arange(len(seeds))
        closest = distances[starts, best]
        chosen.append(candidates[starts, best])
    return [rows[places] for places in np.stack(chosen, axis=1)]


def _drawn(draws: Sequence[Any], closest: NDArray[np.float64], trials: int) -> NDArray[np.int64]:
    """Row numbers, (starts, trials), with odds in proportion to `closest` (starts, N)."""
    found = []
    for draw, distances in zip(draws, closest, strict=True):
        sums = np.cumsum(distances)
        places = np.searchsorted(sums, draw.uniform(size=trials) * sums[-1])
        found.append(np.minimum(places, len(distances) - 1))
    return np.stack(found)


def _squared_distances(
    rows: Rows, squares: NDArray[np.float64], places: NDArray[np.int64]
) -> NDArray[np.float64]:
    """From the rows at `places` to all rows, (places, N); never negative, and 0 from a row to itself."""
    distances = squares - 2 * (rows[places] @ rows.T).astype(np.float64) + squares[places, np.newaxis]
    distances[np.arange(len(places)), places] = 0.0
    return np.maximum(distances, 0.0, out=distances)
