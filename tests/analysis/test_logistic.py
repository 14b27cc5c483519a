"""Logistic probes against scikit-learn at tight tolerance."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from analysis.linear.logistic import (
    Batch,
    Problems,
    fit_logistic,
    logistic_batch,
    losses,
    probabilities,
    spectrum,
)
from analysis.linear.nested_logistic import nested_logistic
from analysis.linear.row_blocks import CentredRows, HeldRows
from analysis.splits import Partition, fold_partition

LAYERS, ROWS, WIDTH = 2, 90, 12
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(LAYERS, ROWS, WIDTH)) * RANDOM.uniform(0.2, 3, WIDTH)
FEATURES -= FEATURES.mean(axis=1, keepdims=True)
CODES = (FEATURES[0, :, :3] + RANDOM.normal(size=(ROWS, 3))).argmax(axis=1)
TRAINING = np.stack([np.ones(ROWS, bool), np.arange(ROWS) % 4 > 0])


def reference(
    features: NDArray[np.float64], codes: NDArray[np.int64], training: NDArray[np.bool_], penalty: float
) -> tuple[NDArray[np.float64], float]:
    """Probabilities of all rows, and the objective, by scikit-learn."""
    rows = features[training]
    scaled = (features - rows.mean(axis=0)) / rows.std(axis=0)
    count = int(training.sum())
    model = LogisticRegression(C=1 / (penalty * count), tol=1e-12, max_iter=50_000)
    model.fit(scaled[training], codes[training])
    found = model.predict_proba(scaled)
    likelihood = np.log(found[training, np.searchsorted(model.classes_, codes[training])]).mean()
    return found, float(-likelihood + penalty / 2 * np.square(model.coef_).sum())


def one_hot(codes: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Targets of one problem, (N, K)."""
    whole = (codes[:, np.newaxis] == np.arange(classes)).astype(np.float64)
    return np.asarray(whole[:, 1:] if classes == 2 else whole)


def batch_of(features: NDArray[np.float64], codes: NDArray[np.int64], classes: int, count: int) -> Batch:
    """Of labellings (Q, N): each is learned on all rows and then, if wanted, on those of TRAINING[1]."""
    cells = TRAINING[1].astype(np.int64)
    trained = np.array([[True, True], [False, True]])[:count]
    labelling = np.arange(count) % len(codes)
    binary = classes == 2
    problems = Problems(
        codes,
        cells,
        labelling,
        trained,
        np.ones(count, np.int64) if binary else None,
        1 if binary else classes,
    )
    return logistic_batch(CentredRows([HeldRows(layer) for layer in features]), problems)


@pytest.mark.parametrize("penalty", [1e-3, 1e-1, 10.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_objective_and_probabilities_are_those_of_scikit_learn(classes: int, penalty: float) -> None:
    codes = CODES % classes
    batch = batch_of(FEATURES, codes[np.newaxis], classes, 2)
    fit = fit_logistic(batch, np.full((LAYERS, len(TRAINING)), penalty), tolerance=1e-8)
    ((_, logits),) = batch.logits(fit.weights, fit.intercept)
    found = probabilities(logits)
    assert fit.converged.all()
    for layer in range(LAYERS):
        for place, training in enumerate(TRAINING):
            expected, objective = reference(FEATURES[layer], codes, training, penalty)
            assert fit.objective[layer, place] == pytest.approx(objective, rel=1e-8)
            columns = expected[:, 1:] if classes == 2 else expected
            np.testing.assert_allclose(found[layer, place], columns, atol=1e-4)


def test_a_problem_does_not_depend_on_what_else_is_in_its_batch() -> None:
    both = np.stack([CODES, CODES[::-1]])
    penalties = np.array([[1e-3, 10.0]] * LAYERS)
    together = fit_logistic(batch_of(FEATURES, both, 3, 2), penalties)
    alone = fit_logistic(batch_of(FEATURES, both[:1], 3, 1), penalties[:, :1])
    np.testing.assert_allclose(together.weights[:, :1], alone.weights, atol=1e-5)


def test_a_constant_feature_has_no_say() -> None:
    features = FEATURES.copy()
    features[:, :, 4] = 0
    batch = batch_of(features, CODES[np.newaxis], 3, 1)
    fit = fit_logistic(batch, np.full((LAYERS, 1), 0.1))
    assert np.array_equal(fit.weights[..., 4], np.zeros((LAYERS, 1, 3)))


def test_a_warm_start_at_the_solution_ends_at_once() -> None:
    batch = batch_of(FEATURES, CODES[np.newaxis], 3, 1)
    penalties = np.full((LAYERS, 1), 0.1)
    first = fit_logistic(batch, penalties)
    again = fit_logistic(batch, penalties, start=first)
    assert first.iterations > 5
    assert again.iterations == 1


@pytest.mark.parametrize("classes", [2, 3])
def test_knowing_the_covariance_of_correlated_features_saves_steps_and_changes_no_solution(
    classes: int,
) -> None:
    features = FEATURES @ np.linalg.qr(RANDOM.normal(size=(WIDTH, WIDTH)))[0] + 5 * FEATURES[..., :1]
    plain = batch_of(features, CODES[np.newaxis] % classes, classes, 2)
    penalties = np.full((LAYERS, 2), 1e-3)
    slow = fit_logistic(plain, penalties, tolerance=1e-7)
    fast = fit_logistic(replace(plain, spectrum=spectrum(plain.features)), penalties, tolerance=1e-7)
    assert slow.converged.all()
    assert fast.converged.all()
    assert fast.iterations < 0.8 * slow.iterations
    np.testing.assert_allclose(fast.objective, slow.objective, rtol=1e-10)
    np.testing.assert_allclose(fast.weights, slow.weights, atol=1e-4)


def test_losses_are_negative_log_likelihoods() -> None:
    logits = RANDOM.normal(size=(5, 3)) * 50
    expected = [-np.log(probabilities(row)[code]) for row, code in zip(logits, CODES, strict=False)]
    np.testing.assert_allclose(losses(logits, one_hot(CODES[:5], 3)), expected, atol=1e-9)


def _partition() -> Partition:
    return fold_partition([f"g{row % 30}" for row in range(ROWS)], 3)


@pytest.mark.parametrize(("classes", "one_vs_rest"), [(2, False), (3, False), (3, True)])
def test_nested_probes_are_those_of_loops_over_scikit_learn(classes: int, one_vs_rest: bool) -> None:
    codes, partition, penalties = CODES % classes, _partition(), (1e-2, 1.0)
    nested = nested_logistic(
        FEATURES, codes[np.newaxis], classes, partition, penalties, one_vs_rest=one_vs_rest
    )
    labellings = [(codes == c).astype(np.int64) for c in range(classes)] if one_vs_rest else [codes]
    for outer in range(3):
        errors = []
        for penalty in penalties:
            error = 0.0
            for inner in {0, 1, 2} - {outer}:
                validation = partition.cells == inner
                for labels in labellings:
                    training = ~np.isin(partition.cells, [outer, inner])
                    chances, _ = reference(FEATURES[0], labels, training, penalty)
                    error -= np.log(chances[validation, labels[validation]]).sum()
            errors.append(error)
        best = penalties[int(np.argmin(errors))]
        assert nested.penalties[0, 0, outer] == best
        held_out = partition.cells == outer
        whole = [reference(FEATURES[0], labels, ~held_out, best)[0] for labels in labellings]
        expected = np.stack([found[:, 1] for found in whole], axis=1) if one_vs_rest else whole[0]
        np.testing.assert_allclose(nested.guesses[0].scores[held_out], expected[held_out], atol=1e-4)


def test_rows_without_a_label_neither_train_nor_count() -> None:
    codes, partition = CODES.copy(), _partition()
    codes[::7] = -1
    known = codes >= 0
    whole = nested_logistic(FEATURES, codes[np.newaxis], 3, partition, (1.0,))
    part = Partition(partition.cells[known], 3, partition.tested)
    alone = nested_logistic(FEATURES[:, known], codes[known][np.newaxis], 3, part, (1.0,))
    for one, other in zip(whole.guesses, alone.guesses, strict=True):
        assert np.isnan(one.scores[~known]).all()
        np.testing.assert_allclose(one.scores[known], other.scores, atol=1e-5)
