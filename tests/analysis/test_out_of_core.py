"""Fits read rows block by block: they need the memory of a block, and find what they find in memory."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from analysis.concepts import Concept
from analysis.directions.fitting import METHODS, Direction, fit_directions
from analysis.linear import columns, row_blocks
from analysis.linear.nested_logistic import nested_logistic
from analysis.linear.row_blocks import HeldRows, block_places
from analysis.probes.out_of_fold import (
    RidgePredictions,
    moments_by_cell,
    problem_of_moments,
    ridge_predictions,
)
from analysis.probes.scores import class_result
from analysis.probes.targets import ridge_targets
from analysis.splits import Partition

COUNT, WIDTH, FOLDS = 240, 12, 4
RANDOM = np.random.default_rng(5)
CODES = RANDOM.integers(0, 3, COUNT)
ROWS = (RANDOM.standard_normal((COUNT, WIDTH)) + np.eye(3, WIDTH)[CODES] + 40).astype(np.float32)
GROUPS = np.arange(COUNT) // 4
CELLS = (GROUPS % FOLDS).astype(np.int8)


class DrawnRows:
    """Rows that are drawn when they are read, so that nobody holds them; class by class along an axis."""

    def __init__(self, count: int, width: int) -> None:
        self.width, self._count = width, count

    def __len__(self) -> int:
        return self._count

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for number, place in enumerate(block_places(self._count)):
            size = place.stop - place.start
            rows = np.random.default_rng(number).standard_normal((size, self.width), np.float32)
            rows[:, 0] += np.arange(place.start, place.stop) % 2
            yield place, rows

    def whole(self) -> NDArray[np.float32]:
        raise AssertionError("nobody may hold all rows")


@pytest.fixture(params=[7, 64, 4096])
def of_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in blocks of other sizes, converted anew by every pass, and columns in a file."""
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", request.param)
    monkeypatch.setattr(row_blocks, "HELD_BYTES", 0)
    monkeypatch.setattr(columns, "HELD_BYTES", 0)


def directions(rows: NDArray[np.float32]) -> list[dict[str, Direction]]:
    targets = CODES[:, np.newaxis] == np.arange(3)
    return fit_directions(rows, targets, folds=CELLS, groups=GROUPS, methods=METHODS)


IN_MEMORY = directions(ROWS)


@pytest.mark.usefixtures("of_blocks")
def test_directions_do_not_depend_on_the_size_of_blocks() -> None:
    for found, known in zip(directions(ROWS), IN_MEMORY, strict=True):
        assert found.keys() == known.keys() == set(METHODS)
        for method, one in known.items():
            other = found[method]
            assert one.held_out is not None
            assert other.held_out is not None
            assert float(one.vector @ other.vector) == pytest.approx(1, abs=1e-10)
            assert other.penalty == (one.penalty and pytest.approx(one.penalty, rel=1e-10))
            assert other.random_score == pytest.approx(one.random_score, abs=1e-10)
            for field in fields(one.held_out):
                expected = getattr(one.held_out, field.name)
                assert getattr(other.held_out, field.name) == pytest.approx(expected, rel=1e-6, abs=1e-10)
            assert other.held_out.score == pytest.approx(one.held_out.score, abs=1e-10)


@pytest.mark.usefixtures("of_blocks")
@pytest.mark.parametrize("one_vs_rest", [False, True])
def test_logistic_probes_do_not_depend_on_the_size_of_blocks(one_vs_rest: bool) -> None:
    codes = np.stack([CODES, np.where(np.arange(COUNT) % 9, CODES[::-1], -1)])
    partition = Partition(CELLS, FOLDS, (0, 2))
    found = nested_logistic([HeldRows(ROWS)], codes, 3, partition, (0.1, 1.0), one_vs_rest=one_vs_rest)
    row_blocks.BLOCK_ROWS = COUNT
    known = nested_logistic([HeldRows(ROWS)], codes, 3, partition, (0.1, 1.0), one_vs_rest=one_vs_rest)
    np.testing.assert_array_equal(found.penalties, known.penalties)
    np.testing.assert_allclose(found.guesses[0].scores, known.guesses[0].scores, atol=1e-10)
    np.testing.assert_array_equal(found.guesses[0].said, known.guesses[0].said)


def peak(fit: Callable[[], object]) -> int:
    """Most bytes of arrays at once, less what was there before."""
    tracemalloc.start()
    try:
        fit()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_directions_does_not_grow_with_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 512)
    monkeypatch.setattr(row_blocks, "HELD_BYTES", 0)
    monkeypatch.setattr(columns, "HELD_BYTES", 0)
    methods = ["logistic:10" if method == "logistic" else method for method in METHODS]

    def fit(count: int) -> None:
        places = np.arange(count)
        targets, folds = (places % 2 == 0)[:, np.newaxis], (places // 2 % FOLDS).astype(np.int8)
        groups = (places // 2 % 64).astype(np.int16)
        fit_directions(DrawnRows(count, 128), targets, folds=folds, groups=groups, methods=methods)

    fit(300)  # what is imported on the way counts for neither
    assert peak(lambda: fit(4 * 2048)) <= 1.2 * peak(lambda: fit(2048))


def test_the_memory_of_ridge_probes_does_not_grow_with_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 512)

    def fit(count: int) -> None:
        places = np.arange(count)
        rows, groups = DrawnRows(count, 320), places // 2 % 64
        concept = Concept("odd", "class", places % 2, ("even", "odd"))
        partition = Partition((groups % FOLDS).astype(np.int8), FOLDS, tuple(range(FOLDS)))
        targets = ridge_targets([concept], groups, controls=2, seed=0)
        moments = moments_by_cell(rows, partition)
        problem = problem_of_moments(rows, moments, targets.columns, partition)
        guesses, _ = ridge_predictions(problem, rows, targets, partition, (1.0,)).of_concept(0)
        result = class_result(concept, groups, partition, targets.labellings[0], guesses)
        assert result.whole.score > 0.55

    fit(600)  # what is imported on the way counts for neither
    assert peak(lambda: fit(4 * 2048)) <= 1.2 * peak(lambda: fit(2048))


def test_the_memory_of_logistic_probes_does_not_grow_with_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for what each labelling says of a row: a class in two bytes."""
    classes, labellings = 12, 4
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 256)
    monkeypatch.setattr(row_blocks, "HELD_BYTES", 0)
    monkeypatch.setattr(columns, "HELD_BYTES", 0)

    def fit(count: int) -> None:
        places = np.arange(count)
        codes = np.stack([(places + q) % classes for q in range(labellings)]).astype(np.int16)
        partition = Partition((places % 2).astype(np.int8), 2, (0, 1))
        found = nested_logistic([DrawnRows(count, 64)], codes, classes, partition, (100.0,))
        assert found.guesses[0].said.shape == (labellings, count)

    fit(256)  # what is imported on the way counts for neither
    grown, few = peak(lambda: fit(4 * 512)), peak(lambda: fit(512))
    of_all_scores = 3 * 512 * classes * labellings * 8
    assert grown - few < of_all_scores / 2


def test_guesses_by_blocks_are_those_of_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    concepts = [
        Concept("style", "class", CODES, ("blues", "jazz", "rock")),
        Concept("tempo", "number", RANDOM.standard_normal(COUNT)),
    ]
    partition = Partition(CELLS, FOLDS, (0, 2))
    targets = ridge_targets(concepts, GROUPS, controls=3, seed=1)

    def guesses() -> RidgePredictions:
        rows = HeldRows(ROWS)
        problem = problem_of_moments(rows, moments_by_cell(rows, partition), targets.columns, partition)
        return ridge_predictions(problem, rows, targets, partition, (0.1, 1.0, 10.0))

    known = guesses()
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", 7)
    found = guesses()
    np.testing.assert_array_equal(found.penalties, known.penalties)
    for one, other in zip(found.guesses, known.guesses, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-10)
        np.testing.assert_allclose(one.said, other.said, atol=1e-10)
    fold = partition.cells == 2
    scaled = StandardScaler().fit(ROWS[~fold].astype(np.float64))
    penalty = known.penalties[1, 0]
    oracle = Ridge(alpha=penalty * float((~fold).sum()))
    oracle.fit(scaled.transform(ROWS[~fold]), targets.columns()[~fold, :3])
    expected = oracle.predict(scaled.transform(ROWS[fold]))
    np.testing.assert_allclose(found.guesses[0].scores[fold], expected, atol=1e-5)
    assert np.isnan(found.guesses[0].scores[~np.isin(CELLS, (0, 2))]).all()
