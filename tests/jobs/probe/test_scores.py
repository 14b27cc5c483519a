"""Intervals of probe scores count groups: twenty artists are twenty witnesses, whatever they recorded."""

import numpy as np
import pytest

from analysis.concepts import Concept
from analysis.linear.guesses import Guesses
from analysis.probes.scores import ClassResult, class_result, number_result
from analysis.splits import fold_partition
from jobs.probe.scores import class_rows, number_row, probes_table
from store.results.fits import ProbeRow

ARTISTS, EACH = 20, 12
GROUPS = np.repeat([f"artist{number:02d}" for number in range(ARTISTS)], EACH)
RANDOM = np.random.default_rng(3)


FOLDS = fold_partition(GROUPS, 5)


def scored(concept: Concept, codes: np.ndarray, predictions: np.ndarray) -> ClassResult:
    return class_result(concept, GROUPS, FOLDS, codes, Guesses.of(predictions))


def one_hot(codes: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(2)[codes])


def test_an_interval_is_as_wide_as_that_of_a_share_of_artists() -> None:
    """All clips of an artist are right or all are wrong: a binomial of 20 draws, not of 240."""
    codes = np.arange(len(GROUPS)) % 2
    right = np.repeat(np.arange(ARTISTS) % 10 < 7, EACH)
    guesses = np.where(right, codes, 1 - codes)
    concept = Concept("style", "class", codes, ("jazz", "rock"))
    rows = probes_table(
        class_rows(ProbeRow(), concept, scored(concept, codes[np.newaxis], one_hot(guesses)[np.newaxis]))
    ).to_pylist()
    assert rows[0]["accuracy"] == pytest.approx(0.7)
    width = 2 * 1.96 * np.sqrt(0.7 * 0.3 / ARTISTS) * np.sqrt(2.25)  # five folds: 1 + 5 · 4 / 16
    for row in rows:
        assert row["accuracy_high"] - row["accuracy_low"] == pytest.approx(width, rel=0.15), row["class"]
        assert row["groups"] == ARTISTS


def test_the_control_s_interval_counts_artists_too() -> None:
    codes = np.arange(len(GROUPS)) % 2
    right = np.repeat(np.arange(ARTISTS) % 2 == 0, EACH)
    concept = Concept("style", "class", codes, ("jazz", "rock"))
    guesses = np.stack([one_hot(codes), one_hot(np.where(right, codes, 1 - codes))])
    rows = probes_table(
        class_rows(ProbeRow(), concept, scored(concept, np.stack([codes, codes]), guesses))
    ).to_pylist()
    assert rows[0]["control_accuracy"] == pytest.approx(0.5)
    width = 2 * 1.96 * np.sqrt(0.25 / ARTISTS)
    assert rows[0]["control_high"] - rows[0]["control_low"] == pytest.approx(width, rel=0.15)
    assert rows[0]["verdict"] == "better than both"


def test_an_interval_of_numbers_counts_artists_and_knows_no_bound() -> None:
    """Each artist has one tempo and one error, so a clip more of an artist says nothing new."""
    tempo, error = (np.repeat(RANDOM.normal(size=ARTISTS), EACH) for _ in range(2))
    found = number_result(GROUPS, FOLDS, tempo[np.newaxis], (tempo + error)[np.newaxis])
    (row,) = probes_table([number_row(ProbeRow(), found)]).to_pylist()
    ones, others = tempo[::EACH], error[::EACH]
    places = np.arange(ARTISTS)
    without = np.array(
        [np.log(np.square(others[places != one]).mean() / ones[places != one].var()) for one in places]
    )
    deviation = np.sqrt(2.25 * np.square(without - without.mean()).sum() * (ARTISTS - 1) / ARTISTS)
    width = np.log((1 - row["r2_low"]) / (1 - row["r2_high"]))
    assert width == pytest.approx(2 * 2.093024 * deviation, rel=1e-6)  # Student's t of 19 degrees
    assert row["groups"] == ARTISTS
    assert row["r2_low"] < row["r2"] < row["r2_high"] < 1


def test_what_nobody_knows_is_null_in_the_table_and_not_nan() -> None:
    (row,) = probes_table([ProbeRow(concept="tempo", r2=float("nan"), rmse=0.5, clips=3)]).to_pylist()
    assert {name: value for name, value in row.items() if value is not None} == {
        "concept": "tempo", "rmse": 0.5, "clips": 3,
    }  # fmt: skip
