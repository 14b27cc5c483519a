"""Ridge probes against scikit-learn and against theory."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from analysis.linear.moments import moments_of
from analysis.linear.penalties import nested_ridge
from analysis.linear.ridge import DualRidge, Linear, PrimalRidge, added_targets, solve_shifted, target_moments
from analysis.splits import Partition, fold_partition

Floats = NDArray[np.float64]
PENALTIES = (1e-3, 1e-1, 10.0)


def world(rows: int, width: int, *, seed: int = 0) -> tuple[NDArray[np.float32], Floats, Partition]:
    """Rows with outlier channels (mean 120, deviation 2; one constant), three targets, five folds."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, width)) * random.uniform(0.1, 3, width) + random.normal(size=width)
    features[:, 0] = 120 + 2 * features[:, 0]
    features[:, 1] = 5
    positive = (features[:, 2:6].sum(axis=1) + random.normal(size=rows) > 0).astype(np.float64)
    targets = np.stack([positive, 1 - positive, 100 + features[:, 2] + random.normal(size=rows)], axis=1)
    partition = fold_partition([f"g{row % 40}" for row in range(rows)], 5)
    return features.astype(np.float32), targets, partition


def primal(features: NDArray[np.float32], targets: Floats, partition: Partition) -> PrimalRidge:
    """From two blocks, as a store gives them."""
    shift = features[:9].mean(axis=0, dtype=np.float64)
    half = len(features) // 2
    parts = [
        target_moments(features[part], targets[part], partition.cells[part], partition.count, shift)
        for part in (slice(half), slice(half, None))
    ]
    return PrimalRidge(moments_of(features, partition.cells, partition.count, shift), added_targets(*parts))


def sklearn_model(
    features: NDArray[np.float32], targets: Floats, penalty: float
) -> tuple[StandardScaler, Ridge]:
    scaler = StandardScaler().fit(features.astype(np.float64))
    scaled = scaler.transform(features.astype(np.float64))
    return scaler, Ridge(alpha=penalty * len(features)).fit(scaled, targets)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_both_forms_predict_what_scikit_learn_predicts(penalty: float) -> None:
    features, targets, partition = world(160, 30)
    training = np.isin(partition.cells, [0, 2, 3])
    scaler, model = sklearn_model(features[training], targets[training], penalty)
    expected = model.predict(scaler.transform(features.astype(np.float64)))
    for problem in (primal(features, targets, partition), DualRidge(features, targets, partition.cells)):
        found = problem.train([0, 2, 3]).solve(penalty).predict(features)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_with_more_features_than_rows_both_forms_agree() -> None:
    features, targets, partition = world(60, 90)
    for penalty in PENALTIES:
        one = primal(features, targets, partition).train([0, 1]).solve(penalty)
        other = DualRidge(features, targets, partition.cells).train([0, 1]).solve(penalty)
        np.testing.assert_allclose(one.predict(features), other.predict(features), rtol=1e-8, atol=1e-8)


def test_squared_error_from_moments_is_that_of_the_predictions() -> None:
    features, targets, partition = world(160, 30)
    problems = (primal(features, targets, partition), DualRidge(features, targets, partition.cells))
    cell = partition.cells == 4
    for problem in problems:
        model = problem.train([0, 1, 2]).solve(0.1)
        expected = np.square(model.predict(features[cell]) - targets[cell]).sum(axis=0)
        np.testing.assert_allclose(problem.squared_error(model, 4), expected, rtol=1e-8)


def test_a_constant_feature_gets_no_weight() -> None:
    features, targets, partition = world(160, 30)
    weights = primal(features, targets, partition).train([0, 1]).solve(1e-6).weights
    assert np.array_equal(weights[1], np.zeros(3))


def test_one_hot_outputs_sum_to_one() -> None:
    features, targets, partition = world(160, 30)
    predictions = primal(features, targets, partition).train([0, 1, 2]).solve(0.1).predict(features)
    np.testing.assert_allclose(predictions[:, 0] + predictions[:, 1], 1.0, atol=1e-12)


def test_the_mse_probe_points_along_the_linear_discriminant() -> None:
    features, targets, partition = world(400, 12)
    model = primal(features, targets, partition).train(range(5)).solve(1e-12)
    rows, positive = np.delete(features, 1, axis=1).astype(np.float64), targets[:, 0] == 1
    within = sum(np.cov(rows[side].T, bias=True) * side.sum() for side in (positive, ~positive))
    discriminant = np.linalg.solve(within, rows[positive].mean(axis=0) - rows[~positive].mean(axis=0))
    weights = np.delete(model.weights[:, 0], 1)
    cosine = weights @ discriminant / np.linalg.norm(weights) / np.linalg.norm(discriminant)
    assert cosine == pytest.approx(1, abs=1e-6)


def test_frames_of_a_clip_count_like_rows_of_their_own() -> None:
    random = np.random.default_rng(5)
    frames = random.normal(size=(40, 7, 5)).astype(np.float32)
    targets, cells = random.normal(size=(40, 2)), np.arange(40) % 4
    shift = np.zeros(5)
    flat = target_moments(frames.reshape(-1, 5), targets.repeat(7, axis=0), cells.repeat(7), 4, shift)
    means = target_moments(frames.mean(axis=1, dtype=np.float64), targets, cells, 4, shift, times=7)
    for name in ("cross", "sums", "squares"):
        np.testing.assert_allclose(getattr(means, name), getattr(flat, name), rtol=1e-12, atol=1e-12)


def test_where_rounding_makes_the_matrix_indefinite_its_positive_part_is_used() -> None:
    vector = np.random.default_rng(6).normal(size=(20, 1))
    gram = vector @ vector.T
    gram[0, 0] -= 1e-3 * gram[0, 0]
    solution = solve_shifted(gram, vector, 0.0)
    assert np.isfinite(solution).all()


def _nested_by_scikit_learn(
    features: NDArray[np.float32], targets: Floats, partition: Partition, penalties: Sequence[float]
) -> tuple[Floats, Floats]:
    """Out-of-fold predictions and chosen penalties, by loops; the first two targets share a penalty."""
    predictions, chosen = np.empty_like(targets), []
    for outer in range(partition.count):
        errors = np.zeros((len(penalties), 3))
        for inner in set(range(partition.count)) - {outer}:
            training = ~np.isin(partition.cells, [outer, inner])
            validation = partition.cells == inner
            for place, penalty in enumerate(penalties):
                scaler, model = sklearn_model(features[training], targets[training], penalty)
                guess = model.predict(scaler.transform(features[validation].astype(np.float64)))
                errors[place] += np.square(guess - targets[validation]).sum(axis=0)
        best = [int(errors[:, :2].sum(axis=1).argmin())] * 2 + [int(errors[:, 2].argmin())]
        chosen.append([penalties[place] for place in best])
        training = partition.cells != outer
        for column, place in enumerate(best):
            scaler, model = sklearn_model(features[training], targets[training, column], penalties[place])
            scaled = scaler.transform(features[~training].astype(np.float64))
            predictions[~training, column] = model.predict(scaled)
    return predictions, np.array(chosen)


@pytest.mark.parametrize(("rows", "width"), [(200, 25), (60, 80)])
def test_nested_penalties_are_those_of_loops_over_scikit_learn(rows: int, width: int) -> None:
    features, targets, partition = world(rows, width)
    penalties = (1e-4, 1e-2, 1.0, 100.0)
    expected, chosen = _nested_by_scikit_learn(features, targets, partition, penalties)
    problem = (
        DualRidge(features, targets, partition.cells)
        if rows <= width
        else primal(features, targets, partition)
    )
    nested = nested_ridge(problem, partition, np.array([0, 0, 1]), penalties)
    assert np.array_equal(nested.penalties, chosen)
    assert len(np.unique(chosen)) > 1
    np.testing.assert_allclose(nested.predict(features, partition.cells), expected, rtol=1e-6, atol=1e-8)


def test_a_cell_that_is_not_tested_has_no_predictions() -> None:
    features, targets, partition = world(100, 10)
    official = Partition(partition.cells, partition.count, (2,))
    nested = nested_ridge(primal(features, targets, partition), official, np.array([0, 0, 1]), PENALTIES)
    predictions = nested.predict(features, partition.cells)
    assert np.array_equal(np.isfinite(predictions[:, 0]), partition.cells == 2)


def test_models_see_nothing_of_the_cell_that_they_are_scored_on() -> None:
    features, targets, partition = world(100, 10)
    changed = targets.copy()
    changed[partition.cells == 3] = 7.0
    models: list[Linear] = []
    for known in (targets, changed):
        problem = primal(features, known, partition)
        nested = nested_ridge(problem, partition, np.array([0, 0, 1]), PENALTIES)
        models.append(nested.models[3])
    assert np.array_equal(models[0].weights, models[1].weights)
