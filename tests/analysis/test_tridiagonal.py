"""Solutions for many penalties from one reduction."""

import numpy as np
import pytest

from analysis.linear.tridiagonal import tridiagonalise

PENALTIES = [1e-3, 1.0, 1e4]


@pytest.mark.parametrize(("rows", "width"), [(80, 30), (80, 3), (80, 2), (80, 1), (10, 30)])
def test_solutions_are_those_of_a_general_solver(rows: int, width: int) -> None:
    random = np.random.default_rng(width)
    features, cross = random.normal(size=(rows, width)), random.normal(size=(width, 4))
    gram = features.T @ features
    found = tridiagonalise(gram).solve(cross, PENALTIES).reshape(width, len(PENALTIES), 4)
    for place, penalty in enumerate(PENALTIES):
        expected = np.linalg.solve(gram + penalty * np.eye(width), cross)
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_a_feature_without_variance_has_no_weight() -> None:
    gram = np.diag([4.0, 0.0, 1.0, 9.0])
    found = tridiagonalise(gram).solve(np.array([[8.0], [0.0], [3.0], [1.0]]), [1.0])
    np.testing.assert_allclose(found[:, 0], [1.6, 0.0, 1.5, 0.1])


def test_where_rounding_makes_the_matrix_indefinite_its_positive_part_is_used() -> None:
    vector = np.random.default_rng(6).normal(size=(20, 1))
    gram = vector @ vector.T
    gram[0, 0] -= 1e-3 * gram[0, 0]
    solution = tridiagonalise(gram).solve(vector, [0.0])
    assert np.isfinite(solution).all()
    assert np.linalg.norm(solution) < 10
