"""Scalings before clustering, against scikit-learn's preprocessing."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler, normalize

from analysis.clustering.scaling import EXPLAINED, ROWS_PER_COMPONENT, fit_scaling
from analysis.clustering.scaling_kinds import SCALINGS, ScalingKind

RANDOM = np.random.default_rng(0)
WIDE = RANDOM.standard_normal((40, 100)) @ RANDOM.standard_normal((100, 100)) + 20
TALL = RANDOM.standard_normal((500, 8)) @ np.diag([30, 10, 3, 1, 1, 1, 1, 0.1]) + 5


@pytest.mark.parametrize("kind", SCALINGS)
@pytest.mark.parametrize("rows", [WIDE, TALL], ids=["N < D", "N > D"])
def test_scaled_rows_lie_about_zero_as_float32(kind: ScalingKind, rows: np.ndarray) -> None:
    scaling = fit_scaling(kind, rows)
    scaled = scaling(rows)
    assert scaled.dtype == np.float32
    assert scaled.shape == (len(rows), scaling.width)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)


def test_none_keeps_distances() -> None:
    scaled = fit_scaling("none", TALL)(TALL)
    assert np.linalg.norm(scaled[0] - scaled[1]) == pytest.approx(np.linalg.norm(TALL[0] - TALL[1]), rel=1e-5)


def test_zscore_is_the_standard_scaler_and_drops_what_is_constant() -> None:
    rows = np.concatenate([TALL, np.full((500, 1), 7.0)], axis=1)
    scaled = fit_scaling("zscore", rows)(rows)
    np.testing.assert_allclose(scaled[:, :8], StandardScaler().fit_transform(TALL), atol=1e-4)
    np.testing.assert_array_equal(scaled[:, 8], 0)


def test_l2_gives_every_row_length_one_before_the_mean_is_taken_away() -> None:
    units = normalize(TALL)
    np.testing.assert_allclose(fit_scaling("l2", TALL)(TALL), units - units.mean(axis=0), atol=1e-6)
    silent = np.concatenate([TALL, np.zeros((1, 8))])
    assert np.isfinite(fit_scaling("l2", silent)(silent)).all()


def test_whitening_is_that_of_scikit_learn_up_to_signs() -> None:
    scaled = fit_scaling("pca", TALL)(TALL)
    expected = PCA(EXPLAINED, whiten=True).fit_transform(TALL) * np.sqrt(500 / 499)
    assert scaled.shape == expected.shape
    np.testing.assert_allclose(np.abs(scaled), np.abs(expected), atol=1e-3)


def test_whitening_few_rows_keeps_few_components() -> None:
    """All 39 of them would put every row at the same distance from every other."""
    scaled = fit_scaling("pca", WIDE)(WIDE)
    assert scaled.shape[1] <= 40 // ROWS_PER_COMPONENT
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-4)
