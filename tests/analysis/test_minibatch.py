"""Mini-batch k-means against scikit-learn's `MiniBatchKMeans`, batch by batch, and its own promises."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans, MiniBatchKMeans

from analysis.clustering.fitting import clusters
from analysis.clustering.minibatch import _moved, _Start, minibatch

ROWS, WIDTH, K, BATCH = 600, 5, 4, 50
RANDOM = np.random.default_rng(2)
CENTERS = 4 * RANDOM.standard_normal((K, WIDTH))
POINTS = (CENTERS[np.arange(ROWS) % K] + RANDOM.standard_normal((ROWS, WIDTH))).astype(np.float32)
POINTS -= POINTS.mean(axis=0)


def blocks_of_100(order: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    return (POINTS[100 * number : 100 * number + 100] for number in order)


def test_centres_after_each_batch_are_those_of_scikit_learn() -> None:
    start = _Start(POINTS[:K].copy(), np.zeros(K))
    oracle = MiniBatchKMeans(K, init=POINTS[:K], n_init=1, reassignment_ratio=0)
    for first in range(0, ROWS, BATCH):
        batch = POINTS[first : first + BATCH]
        start = _moved(start, batch, ROWS)
        oracle.partial_fit(batch)
        np.testing.assert_allclose(start.centers, oracle.cluster_centers_, atol=1e-5)


def test_batches_hold_every_row_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.clustering.minibatch.BUFFER_BYTES", 250 * WIDTH * 4)
    monkeypatch.setattr("analysis.clustering.minibatch.MOST_PASSES", 1)
    seen: list[NDArray[np.float32]] = []

    def noted(start: _Start, batch: NDArray[np.float32], rows: int) -> _Start:
        seen.append(batch)
        return _moved(start, batch, rows)

    monkeypatch.setattr("analysis.clustering.minibatch._moved", noted)
    monkeypatch.setattr("analysis.clustering.minibatch.PATIENCE", 1000)
    minibatch(blocks_of_100, 6, [POINTS[:K]], batch_size=70, rows=ROWS)
    assert [len(batch) for batch in seen] == [70] * 8 + [40]
    np.testing.assert_array_equal(np.sort(np.concatenate(seen), axis=0), np.sort(POINTS, axis=0))


def test_the_same_command_gives_the_same_bits_whatever_other_starts_there_are() -> None:
    alone = minibatch(blocks_of_100, 6, [POINTS[:K]], batch_size=BATCH, rows=ROWS)
    beside = minibatch(blocks_of_100, 6, [POINTS[K : 2 * K], POINTS[:K]], batch_size=BATCH, rows=ROWS)
    np.testing.assert_array_equal(alone[0].centers, beside[1].centers)
    assert alone[0].iterations == beside[1].iterations < 100 * ROWS / BATCH


def test_clusters_by_mini_batches_are_nearly_as_good_and_their_inertia_is_of_all_rows() -> None:
    found = clusters(POINTS, K, y=(np.arange(ROWS) % K).astype(str), starts=3, batch_size=BATCH)
    best = KMeans(K, n_init=3, random_state=0).fit(POINTS).inertia_
    distances = ((POINTS[:, np.newaxis].astype(np.float64) - found.centers) ** 2).sum(axis=2).min(axis=1)
    assert found.inertia == pytest.approx(distances.sum(), rel=1e-5)
    assert best <= found.inertia < 1.05 * best
    assert found.agreement is not None
    assert found.agreement.ari > 0.95
