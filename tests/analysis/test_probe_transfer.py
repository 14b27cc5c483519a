"""Probe transfer: rotated copies, unrelated layers, and scikit-learn's ridge fold by fold."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import StandardScaler

from analysis.concepts import concept_of
from analysis.linear.penalties import PENALTIES
from analysis.linear.row_blocks import HeldRows
from analysis.probe_transfer import Labelled, Transfer, fit_layer, transfer
from analysis.splits import fold_partition

Floats = NDArray[np.float64]
GROUPS = np.repeat(np.arange(40), 6).astype(str)
WIDTH = 12


def _world(seed: int) -> tuple[Floats, NDArray[Any], Floats]:
    """Rows, three classes that are planted in them, and a number."""
    random = np.random.default_rng(seed)
    classes = np.repeat(random.permutation(40) % 3, 6)
    centres = 1.1 * random.standard_normal((3, WIDTH))
    rows = centres[classes] + random.standard_normal((240, WIDTH)) * np.linspace(0.5, 2, WIDTH)
    return rows, np.array(["jazz", "rock", "folk"])[classes], rows[:, 3] + random.standard_normal(240)


def _transferred(
    x: Floats, y: Floats, labels: NDArray[Any], penalties: tuple[float, ...] = PENALTIES
) -> dict[str, Transfer]:
    given = Labelled.of([concept_of("c", labels)], GROUPS, fold_partition(GROUPS, 5), controls=3, seed=0)
    source, target = (fit_layer(HeldRows(rows), given, penalties) for rows in (x, y))
    found = transfer(source.fitted, HeldRows(x), target, given, penalties)
    return {one.through: one for one in found}


def test_a_rotated_copy_takes_the_probe_over_through_the_map_at_its_own_score() -> None:
    x, labels, numbers = _world(0)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((WIDTH, WIDTH)))[0]
    y = 3 * x @ rotation + 7
    for given in (labels, numbers):
        found = _transferred(x, y, given)
        mapped, direct = found["map"], found["direct"]
        assert mapped.moved.score == pytest.approx(mapped.own.score, abs=0.02)
        assert mapped.moved.score == pytest.approx(mapped.source.score, abs=0.02)
        assert mapped.moved.verdict == "better than both"
        assert direct.moved.score < mapped.own.low, "axes differ"


def test_a_layer_takes_its_own_probe_over_unchanged() -> None:
    x, labels, numbers = _world(2)
    for given in (labels, numbers):
        direct = _transferred(x, x + 5, given)["direct"]
        assert direct.moved.score == pytest.approx(direct.own.score, abs=1e-9)


def test_unrelated_layers_are_at_chance_whatever_the_other_knows() -> None:
    x, labels, _ = _world(3)
    y = np.random.default_rng(4).standard_normal((240, 30))
    found = _transferred(x, y, labels)
    assert list(found) == ["map"], "widths differ"
    assert found["map"].source.score > 0.8
    assert found["map"].moved.low < 1 / 3 < found["map"].moved.high
    assert found["map"].moved.verdict != "better than both"


def test_probe_and_map_are_those_of_scikit_learn_on_the_training_folds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here the map goes from all features of B to all of A, and the probe of A is applied behind it."""
    monkeypatch.setattr("analysis.linear.row_blocks.BLOCK_ROWS", 37)
    x, labels, numbers = _world(5)
    y = np.tanh(x @ np.random.default_rng(6).standard_normal((WIDTH, 9)) / 3)
    cells, penalty = fold_partition(GROUPS, 5).cells, 0.01

    def ridge(rows: Floats, targets: Floats) -> Any:
        scaler = StandardScaler().fit(rows)
        model = Ridge(alpha=penalty * len(rows)).fit(scaler.transform(rows), targets)
        return lambda held_out: model.predict(scaler.transform(held_out))

    classes = np.unique(labels)
    for given, targets in ((labels, (labels[:, None] == classes).astype(float)), (numbers, numbers[:, None])):
        predicted = np.empty_like(targets)
        for fold in range(5):
            train = cells != fold
            probe, to_x = ridge(x[train], targets[train]), ridge(y[train], x[train])
            predicted[~train] = probe(to_x(y[~train])).reshape(-1, targets.shape[1])
        found = _transferred(x, y, given, (penalty,))["map"].moved.score
        if given is labels:
            assert found == accuracy_score(labels, classes[predicted.argmax(axis=1)])
        else:
            assert found == pytest.approx(r2_score(numbers, predicted[:, 0]), abs=1e-9)
