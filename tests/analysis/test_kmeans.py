"""k-means against scikit-learn: same starts, same centres, same inertia, however the rows are cut."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans, kmeans_plusplus

from analysis.clustering.kmeans import (
    Rows,
    Search,
    Sums,
    advanced,
    block_sums,
    farthest_rows,
    lloyd,
    nearest_centers,
    spread_of,
)
from analysis.clustering.starts import plus_plus_starts


def overlapping_groups(count: int, width: int, groups: int, *, seed: int = 0) -> NDArray[np.float64]:
    """Rows about zero, in groups that overlap, so that Lloyd takes a while."""
    random = np.random.default_rng(seed)
    centers = random.standard_normal((groups, width))
    rows = random.standard_normal((count, width)) + centers[random.integers(0, groups, count)]
    return np.asarray(rows - rows.mean(axis=0))


@pytest.mark.parametrize("k", [2, 5, 12])
def test_starts_are_those_of_scikit_learn(k: int) -> None:
    rows = overlapping_groups(400, 10, 6)
    found = plus_plus_starts(rows, k, [0, 1, 2])
    for seed, centers in enumerate(found):
        np.testing.assert_array_equal(centers, kmeans_plusplus(rows, k, random_state=seed)[0])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_centres_inertia_and_iterations_are_those_of_scikit_learn(dtype: type, tolerance: float) -> None:
    rows: Rows = overlapping_groups(1500, 16, 6).astype(dtype)
    starts = plus_plus_starts(rows, 7, range(6))
    for start, found in zip(starts, lloyd(rows, starts), strict=True):
        oracle = KMeans(7, init=start, n_init=1, algorithm="lloyd").fit(rows)
        assert found.inertia == pytest.approx(oracle.inertia_, rel=tolerance)
        np.testing.assert_allclose(found.centers, oracle.cluster_centers_, atol=100 * tolerance)
        assert found.iterations == oracle.n_iter_
        np.testing.assert_array_equal(nearest_centers(rows, [found.centers])[0], oracle.labels_)


def test_a_start_seed_is_scikit_learn_s_random_state() -> None:
    rows = overlapping_groups(300, 8, 4)
    found = lloyd(rows, plus_plus_starts(rows, 4, [11]))[0]
    assert found.inertia == pytest.approx(KMeans(4, n_init=1, random_state=11).fit(rows).inertia_, rel=1e-12)


def test_starts_do_not_disturb_each_other() -> None:
    """Products of other widths may round otherwise: by 1e-15, too little to move a row."""
    rows = overlapping_groups(800, 12, 5)
    starts = plus_plus_starts(rows, 5, range(4)) + plus_plus_starts(rows, 3, [9])
    together = lloyd(rows, starts)
    for start, found in zip(starts, together, strict=True):
        alone = lloyd(rows, [start])[0]
        np.testing.assert_allclose(alone.centers, found.centers, rtol=1e-12, atol=1e-12)
        assert alone.inertia == pytest.approx(found.inertia, rel=1e-12)


def test_centres_without_rows_are_moved_as_scikit_learn_moves_them() -> None:
    """Two of the starting centres are far from everything."""
    rows = overlapping_groups(200, 4, 3)
    start = np.concatenate([rows[:2], np.full((1, 4), 100.0), np.full((1, 4), -100.0)])
    found = lloyd(rows, [start])[0]
    oracle = KMeans(4, init=start, n_init=1, algorithm="lloyd").fit(rows)
    assert found.inertia == pytest.approx(oracle.inertia_, rel=1e-12)
    assert len(np.unique(nearest_centers(rows, [found.centers])[0])) == 4


@pytest.mark.filterwarnings("ignore:Number of distinct clusters", "ignore:Initial")
def test_one_step_with_empty_centres_ends_where_scikit_learn_s_does() -> None:
    """A row that founds a cluster is taken from the one it leaves."""
    rows = overlapping_groups(40, 4, 3)
    start = np.concatenate([rows[:2], np.full((1, 4), 100.0), np.full((1, 4), -100.0)])

    def farthest(centers: Rows, count: int) -> tuple[Rows, NDArray[np.int64]]:
        _, places, labels = farthest_rows(rows, centers, count)
        return rows[places], labels

    (sums,) = block_sums(rows, [start])
    found = advanced(Search(start), sums, spread_of(rows), farthest)
    oracle = KMeans(4, init=start, n_init=1, algorithm="lloyd", max_iter=1).fit(rows)
    np.testing.assert_allclose(found.centers, oracle.cluster_centers_, atol=1e-12)


def test_fewer_different_rows_than_clusters_come_to_rest() -> None:
    rows = np.repeat([[1.0, 0.0], [-1.0, 0.0]], 10, axis=0)
    found = lloyd(rows, plus_plus_starts(rows, 3, [0, 1]))
    assert [search.inertia for search in found] == pytest.approx([0, 0], abs=1e-12)
    assert all(np.isfinite(search.centers).all() for search in found)


def test_sums_of_blocks_are_the_sums_of_all_rows() -> None:
    rows = overlapping_groups(500, 6, 4)
    starts = plus_plus_starts(rows, 4, [0, 1])
    whole = block_sums(rows, starts)
    parts = [block_sums(block, starts) for block in np.array_split(rows, 7)]
    for place, expected in enumerate(whole):
        total = parts[0][place]
        for part in parts[1:]:
            total = total.plus(part[place])
        np.testing.assert_array_equal(total.counts, expected.counts)
        np.testing.assert_allclose(total.totals, expected.totals, atol=1e-10)


def test_inertia_is_the_sum_of_squared_distances_and_never_grows() -> None:
    rows = overlapping_groups(600, 5, 5)
    spread = spread_of(rows, tolerance=0.0)

    def unused(centers: Rows, count: int) -> tuple[Rows, NDArray[np.int64]]:
        raise AssertionError("no centre is without rows here")

    search, distances = Search(plus_plus_starts(rows, 5, [3])[0]), np.inf
    while search.state != "ended":
        (sums,) = block_sums(rows, [search.centers])
        (labels,) = nearest_centers(rows, [search.centers])
        before, distances = distances, ((rows - search.centers[labels]) ** 2).sum()
        assert distances <= before
        search = advanced(search, sums, spread, unused)
        assert search.inertia == pytest.approx(distances, rel=1e-10)
    assert search.iterations > 3
    assert search.inertia == pytest.approx(distances, rel=1e-10)


def test_the_farthest_rows_come_with_their_distance_and_their_centre() -> None:
    rows = overlapping_groups(50, 3, 2)
    centers = rows[:2]
    distances, places, labels = farthest_rows(rows, centers, 4)
    all_distances = ((rows[:, np.newaxis] - centers) ** 2).sum(axis=2)
    expected = np.argsort(-all_distances.min(axis=1))[:4]
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_allclose(distances, all_distances.min(axis=1)[expected])
    np.testing.assert_array_equal(labels, all_distances.argmin(axis=1)[expected])


def test_a_centre_that_loses_its_rows_keeps_its_place_where_nothing_is_far() -> None:
    sums = Sums(np.array([2.0, 0.0]), np.array([[2.0, 2.0], [0.0, 0.0]]))
    rows = np.array([[1.0, 1.0], [1.0, 1.0]])

    def nothing(centers: Rows, count: int) -> tuple[Rows, NDArray[np.int64]]:
        return rows[:0], np.zeros(0, np.int64)

    found = advanced(Search(np.array([[0.0, 0.0], [5.0, 5.0]])), sums, spread_of(rows), nothing)
    np.testing.assert_array_equal(found.centers, [[1.0, 1.0], [5.0, 5.0]])
