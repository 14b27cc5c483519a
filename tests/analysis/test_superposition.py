"""Superposition: extreme sets of vectors whose numbers are known, and random ones against theory."""

import numpy as np
import pytest

from analysis.directions.superposition import random_cosine, superposition, welch_bound


def test_orthogonal_directions_have_a_dimension_each() -> None:
    found = superposition(np.eye(6)[:4] * 3.0)
    assert found.mean_cosine == found.largest_cosine == 0
    assert found.effective_rank == pytest.approx(4)
    assert found.participation_ratio == pytest.approx(4)
    np.testing.assert_allclose(found.dimensionality, 1)
    np.testing.assert_allclose(found.norm_left, 1)


def test_equal_directions_share_one() -> None:
    found = superposition(np.ones((5, 8)))
    assert found.mean_cosine == pytest.approx(1)
    assert found.effective_rank == pytest.approx(1, abs=1e-6)
    assert found.participation_ratio == pytest.approx(1)
    np.testing.assert_allclose(found.dimensionality, 1 / 5)
    np.testing.assert_allclose(found.norm_left, 0, atol=1e-7)


def test_a_simplex_reaches_the_welch_bound() -> None:
    """n = D + 1 vectors with cosines −1/D: none can have a smaller largest cosine."""
    corners = np.eye(5) - 0.2
    axes = np.linalg.svd(corners)[2][:4]
    found = superposition(corners @ axes.T)
    assert found.largest_cosine == pytest.approx(1 / 4)
    assert found.welch_bound == pytest.approx(found.largest_cosine)
    np.testing.assert_allclose(found.dimensionality, 4 / 5)
    assert welch_bound(4, 4) == 0


def test_what_is_left_is_the_residual_of_a_projection_on_the_others() -> None:
    vectors = np.random.default_rng(0).standard_normal((4, 10))
    found = superposition(vectors)
    others = np.linalg.qr(vectors[1:].T)[0]
    unit = vectors[0] / np.linalg.norm(vectors[0])
    assert found.norm_left[0] == pytest.approx(np.linalg.norm(unit - others @ (others.T @ unit)))


@pytest.mark.parametrize(("width", "expected"), [(1024, 0.0249), (1536, 0.0204), (2048, 0.0176)])
def test_random_directions_meet_at_the_angle_that_theory_gives(width: int, expected: float) -> None:
    assert random_cosine(width) == pytest.approx(expected, abs=5e-5)
    found = superposition(np.random.default_rng(width).standard_normal((60, width)))
    assert found.mean_cosine == pytest.approx(expected, rel=0.1)


def test_one_direction_alone_interferes_with_nothing() -> None:
    found = superposition(np.array([[0.0, 2.0]]))
    assert (found.mean_cosine, found.largest_cosine, found.norm_left[0]) == (0, 0, 1)
