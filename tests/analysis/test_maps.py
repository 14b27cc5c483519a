"""Maps of vectors beside a known covariance, whole-array linear algebra and counted triangles."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.maps import in_a_plane, principal_components, projected, trust, turned_to, within
from store.errors import InvalidInput

Floats = NDArray[np.float64]
DEVIATIONS = np.array([6.0, 3.0, 1.0, 0.5])


def planted(count: int = 6000) -> tuple[NDArray[np.float32], Floats]:
    """Rows of a known covariance, far from zero, and the axes along which they spread."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.standard_normal((4, 4)))[0].T
    spread = random.standard_normal((count, 4)) * DEVIATIONS
    return (spread @ axes + 100.0).astype(np.float32), axes


def test_axes_and_shares_are_those_of_the_covariance_that_was_planted() -> None:
    rows, axes = planted()
    found = principal_components(lambda numbers: rows[numbers], np.arange(len(rows)), 3)
    assert np.abs(np.sum(found.axes * axes[:3], axis=1)) == pytest.approx(np.ones(3), abs=1e-2)
    np.testing.assert_allclose(found.shares, (DEVIATIONS**2 / (DEVIATIONS**2).sum())[:3], rtol=0.05)
    assert (found.axes[np.arange(3), np.abs(found.axes).argmax(axis=1)] > 0).all(), "a map never flips"


def test_blocks_give_what_the_whole_gives_and_no_more_than_a_block_is_asked_for() -> None:
    rows, _ = planted()
    asked: list[int] = []

    def read(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        asked.append(len(numbers))
        return rows[numbers]

    numbers = np.arange(1, len(rows))
    found = principal_components(read, numbers, 2)
    wide = rows[1:].astype(np.float64)
    _, lengths, expected = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.axes @ expected[:2].T), np.eye(2), atol=1e-6)
    np.testing.assert_allclose(found.shares, (lengths**2 / (lengths**2).sum())[:2], rtol=1e-6)
    np.testing.assert_allclose(
        projected(read, numbers, found), (wide - wide.mean(axis=0)) @ found.axes.T, atol=1e-6
    )
    assert max(asked) <= 4096 < len(numbers)


def test_what_makes_no_map_is_refused() -> None:
    rows = np.ones((5, 3), np.float32)
    with pytest.raises(InvalidInput, match="2 vectors make no map"):
        principal_components(lambda numbers: rows[numbers], np.arange(2), 2)
    rows[3, 1] = np.inf
    with pytest.raises(InvalidInput, match="not finite"):
        principal_components(lambda numbers: rows[numbers], np.arange(5), 2)


def test_equal_vectors_and_single_features_lie_in_the_plane_too() -> None:
    same = np.ones((5, 3), np.float32)
    found = principal_components(lambda numbers: same[numbers], np.arange(5), 2)
    assert found.shares.tolist() == [0.0, 0.0]
    assert in_a_plane(np.ones((4, 1))).tolist() == [[1.0, 0.0]] * 4


def test_a_turned_or_mirrored_map_lies_on_the_one_that_it_was_made_from() -> None:
    reference = np.random.default_rng(1).standard_normal((30, 2))
    cosine, sine = np.cos(0.7), np.sin(0.7)
    shared = list(range(10))
    for turn in ([[cosine, sine], [-sine, cosine]], [[cosine, sine], [sine, -cosine]]):
        moved = 3.0 * reference @ np.array(turn) + [5.0, -2.0]
        np.testing.assert_allclose(turned_to(moved, reference, shared, shared), reference, atol=1e-9)


def test_a_polygon_holds_what_is_below_its_line_also_where_it_is_hollow() -> None:
    grid = np.stack(np.meshgrid(np.arange(10) + 0.5, np.arange(10) + 0.5), axis=-1).reshape(-1, 2)
    triangle = np.array([(0, 0), (10, 0), (0, 10)])
    assert within(grid, triangle).tolist() == (grid.sum(axis=1) < 10).tolist()
    horseshoe = np.array([(0, 0), (10, 0), (10, 10), (7, 10), (7, 3), (3, 3), (3, 10), (0, 10)])
    hollow = (grid[:, 0] > 3) & (grid[:, 0] < 7) & (grid[:, 1] > 3)
    assert within(grid, horseshoe).tolist() == (~hollow).tolist()
    with pytest.raises(InvalidInput, match="at least three corners"):
        within(grid, triangle[:2])


def test_trust_is_one_for_a_faithful_map_and_low_for_a_shuffled_one() -> None:
    random = np.random.default_rng(2)
    points = random.standard_normal((200, 2))
    assert trust(np.pad(points, ((0, 0), (0, 3))), points, seed=0) == pytest.approx(1.0)
    assert trust(points, random.permutation(points), seed=0) < 0.6


LAYOUT = """
import numpy as np
from analysis.maps import neighbour_map
rows = np.random.default_rng(0).standard_normal((24, 3))
rows[12:] += 50
told = []
points = neighbour_map(rows, seed=0, advance=lambda done, total: told.append((done, total)))
gap = np.linalg.norm(points[:12].mean(axis=0) - points[12:].mean(axis=0))
print(points.shape, gap > 2 * points[:12].std(), told[-1][0] == told[-1][1], len(told) > 1)
"""


def test_umap_keeps_two_far_groups_apart_and_tells_its_epochs() -> None:
    """In a process where nothing is compiled: the library's compiler takes ten seconds, its loops one."""
    pytest.importorskip("umap")
    said = subprocess.run(
        [sys.executable, "-c", LAYOUT],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split("\n")[0] == "(24, 2) True True True"
