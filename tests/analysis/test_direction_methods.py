"""Each method against an independent solution: scikit-learn, or the definition written out."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge

from analysis.directions.fits import problem_of
from analysis.directions.logistic import LOGISTIC_PENALTIES, logistic_paths
from analysis.directions.methods import (
    discriminants,
    ledoit_wolf_penalty,
    mean_variance,
    reading_vector,
    ridge_path,
)
from analysis.linear.contrast_moments import ContrastMoments, moments_of_trainings, sums_by_fold
from analysis.linear.row_space import row_space

Floats = NDArray[np.float64]
COUNT, CONTRASTS = 150, 3
FOLDS = (np.arange(COUNT) % 4).astype(np.int8)


@pytest.fixture(params=[12, 400], ids=["N > D", "N < D"])
def rows(request: pytest.FixtureRequest) -> Floats:
    """Correlated features about a mean that is large against their spread."""
    random = np.random.default_rng(3)
    mixing = random.standard_normal((request.param, request.param)) / np.sqrt(request.param)
    return np.asarray(random.standard_normal((COUNT, request.param)) @ mixing + 30.0)


@pytest.fixture
def targets() -> NDArray[np.bool_]:
    return np.asarray(np.random.default_rng(4).random((COUNT, CONTRASTS)) < [0.5, 0.3, 0.1])


def without_fold(rows: Floats, targets: NDArray[np.bool_], fold: int) -> ContrastMoments:
    coordinates = row_space(rows).coordinates
    return list(moments_of_trainings(sums_by_fold(coordinates, targets, FOLDS)))[fold]


def cosines(one: Floats, other: Floats) -> Floats:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return np.asarray((one * other).sum(axis=-1) / lengths)


def test_the_row_space_holds_the_rows_and_nothing_else(rows: Floats) -> None:
    space = row_space(rows)
    np.testing.assert_allclose(space.embedded(space.coordinates) + space.mean, rows, atol=1e-8)
    assert space.coordinates.shape[1] == min(rows.shape[1], COUNT - 1)
    np.testing.assert_allclose(space.reduced(rows - space.mean), space.coordinates, atol=1e-8)


def test_moments_without_a_fold_are_those_of_the_other_rows(rows: Floats, targets: NDArray[np.bool_]) -> None:
    space, training = row_space(rows), FOLDS != 2
    moments = without_fold(rows, targets, 2)
    chosen = space.coordinates[training]
    np.testing.assert_allclose(moments.mean, chosen.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(moments.scatter, np.cov(chosen.T, bias=True) * len(chosen), atol=1e-8)
    for contrast in range(CONTRASTS):
        positive = targets[training, contrast]
        difference = chosen[positive].mean(axis=0) - chosen[~positive].mean(axis=0)
        np.testing.assert_allclose(moments.differences[contrast], difference, atol=1e-10)


def test_ridge_is_scikit_learn_s_on_the_features_themselves(rows: Floats, targets: NDArray[np.bool_]) -> None:
    space, training = row_space(rows), FOLDS != 1
    moments = without_fold(rows, targets, 1)
    penalties = np.array([1e-2, 1.0, 1e3])
    weights = ridge_path(moments, penalties)
    for place, penalty in enumerate(penalties):
        oracle = Ridge(alpha=penalty * mean_variance(moments.eigenvalues))
        oracle.fit(rows[training], np.where(targets[training], 1.0, -1.0))
        np.testing.assert_allclose(space.embedded(weights[place]), oracle.coef_, rtol=1e-6, atol=1e-9)


def test_logistic_regression_is_scikit_learn_s_on_the_features_themselves(
    rows: Floats, targets: NDArray[np.bool_]
) -> None:
    space, training = row_space(rows), FOLDS != 0
    unit = 2.5
    weights = logistic_paths(problem_of(space, targets, FOLDS, range(CONTRASTS)), [frozenset({0})], unit)[0]
    for place, penalty in enumerate(LOGISTIC_PENALTIES):
        if penalty < 1e-2:
            continue
        for contrast in range(CONTRASTS):
            absolute = penalty * training.sum() * unit
            oracle = LogisticRegression(C=1 / absolute, tol=1e-10, max_iter=10_000)
            oracle.fit(rows[training] - rows.mean(axis=0), targets[training, contrast])
            found = space.embedded(weights[place, contrast])
            np.testing.assert_allclose(found, oracle.coef_[0], atol=5e-3 * np.abs(oracle.coef_).max())


def test_the_mse_probe_is_proportional_to_the_discriminant() -> None:
    """±1 labels and an intercept: w ∝ Σ⁻¹(μ₊ − μ₋), with total or within-class covariance."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((COUNT, 12)) @ random.standard_normal((12, 12))
    positive = random.random(COUNT) < 0.35
    moments = list(moments_of_trainings(sums_by_fold(rows - rows.mean(0), positive[:, np.newaxis], FOLDS)))[
        -1
    ]
    mse = ridge_path(moments, np.array([1e-12]))[0, 0]
    lda = LinearDiscriminantAnalysis(solver="lsqr").fit(rows, positive).coef_[0]
    assert cosines(mse, lda) == pytest.approx(1.0, abs=1e-6)
    assert cosines(discriminants(moments, 0.0)[0], lda) == pytest.approx(1.0, abs=1e-6)


def test_a_strong_penalty_gives_the_mean_difference(rows: Floats, targets: NDArray[np.bool_]) -> None:
    moments = without_fold(rows, targets, 3)
    weights = ridge_path(moments, np.array([1e8]))
    np.testing.assert_allclose(cosines(weights[0], moments.differences), 1.0, atol=1e-9)
    np.testing.assert_array_equal(discriminants(moments, np.inf), moments.differences)


def test_shrinkage_is_ledoit_and_wolf_s(rows: Floats, targets: NDArray[np.bool_]) -> None:
    space, training = row_space(rows), FOLDS != 2
    moments = without_fold(rows, targets, 2)
    penalty = ledoit_wolf_penalty(moments, rows.shape[1])
    covariance, shrinkage = ledoit_wolf(rows[training])
    assert 0 < shrinkage < 1
    expected = np.linalg.solve(covariance, space.embedded(moments.differences).T).T
    np.testing.assert_allclose(
        cosines(space.embedded(discriminants(moments, penalty)), expected), 1.0, atol=1e-9
    )


def test_reading_vectors_are_the_first_axis_of_all_pairs_of_differences(
    rows: Floats, targets: NDArray[np.bool_]
) -> None:
    space, training = row_space(rows), FOLDS != 1
    moments = without_fold(rows, targets, 1)
    for contrast in range(CONTRASTS):
        chosen = space.coordinates[training & targets[:, contrast]]
        found = reading_vector(moments, contrast, chosen.T @ chosen)
        positive = rows[training & targets[:, contrast]]
        negative = rows[training & ~targets[:, contrast]]
        pairs = (positive[:, np.newaxis] - negative).reshape(-1, rows.shape[1])
        axis = TruncatedSVD(1, algorithm="arpack", random_state=0).fit(pairs).components_[0]
        axis *= np.sign(axis @ pairs.mean(axis=0))
        assert cosines(space.embedded(found), axis) == pytest.approx(1.0, abs=1e-6)
