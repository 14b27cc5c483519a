"""`ut.probe` on arrays: the numbers of the command, what a score is worth, and sentences for wrong arrays."""

from typing import Any

import numpy as np
import pytest

import undertone as ut
from analysis.splits import fold_partition
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store.opening import Store

LABELS = "SELECT clip_id, {} FROM clips"
ARTISTS = np.repeat(np.arange(20), 4)
STYLES = np.where(ARTISTS % 2, "jazz", "rock")


def features(strength: float) -> Any:
    random = np.random.default_rng(1)
    return random.normal(size=(80, 8)) + strength * (STYLES == "jazz")[:, np.newaxis]


@pytest.mark.parametrize(("label", "loss"), [("style", "mse"), ("tempo", "mse"), ("style", "logistic")])
def test_the_numbers_are_those_of_the_command(planted_store: Store, label: str, loss: Any) -> None:
    options = ProbeOptions(
        planted_store.url,
        "toy",
        LABELS.format(label),
        loss=loss,
        sites="resid",
        layers="2",
        reduce="mean",
        handcrafted=False,
        engine="inline",
    )
    row = probe_run(options).table.to_pylist()[0]
    run = ut.open_store(planted_store.url).run("toy")
    X, y, groups = run.table("resid.mean", 2, labels=LABELS.format(label))
    found = ut.probe(X, y, groups=groups, loss=loss)
    score = "accuracy" if label == "style" else "r2"
    expected = [
        row[score],
        row[f"{score}_low"],
        row[f"{score}_high"],
        row["control_accuracy"],
        row["penalty"],
    ]
    assert found.control is not None
    assert [found.score, *found.interval, found.control.score, found.penalty] == pytest.approx(expected)
    assert (found.rows, found.groups, found.folds) == (row["clips"], row["groups"], row["folds"])
    assert found.verdict == row["verdict"]


@pytest.mark.parametrize("width", [8, 200])
def test_what_is_planted_is_found_and_what_is_not_is_not(width: int) -> None:
    noise = np.random.default_rng(0).normal(size=(80, width))
    planted = noise + 2.0 * (STYLES == "jazz")[:, np.newaxis]
    assert ut.probe(planted, STYLES, groups=ARTISTS).verdict == "better than both"
    nothing = ut.probe(noise, STYLES, groups=ARTISTS)
    assert not nothing.verdict.startswith("better")
    assert nothing.interval[0] < 0.5


def test_predictions_are_of_rows_that_were_held_out() -> None:
    """A class that one group alone tells by a feature of its own cannot be learned from the other groups."""
    own = np.eye(20)[ARTISTS] * 10
    found = ut.probe(own, STYLES, groups=ARTISTS, controls=0)
    assert found.control is None
    assert found.score < 0.7
    shown = ut.probe(features(4.0), STYLES, groups=ARTISTS)
    assert shown.predictions.tolist() == STYLES.tolist()
    assert np.array_equal(shown.confusion, [[40, 0], [0, 40]])
    assert [one.name for one in shown.classes] == ["jazz", "rock"]


def test_numbers_are_regressed_and_may_be_called_classes() -> None:
    numbers = ARTISTS.astype(float)
    X = features(0.0)
    X[:, 0] = numbers + np.random.default_rng(2).normal(size=80)
    found = ut.probe(X, numbers, groups=ARTISTS)
    assert found.metric == "R²"
    assert found.score > 0.9
    codes = (ARTISTS % 2).astype(int)
    assert ut.probe(features(4.0), codes, groups=ARTISTS, kind="class").metric == "accuracy"


def test_rows_without_a_label_and_rare_classes_are_left_out() -> None:
    labels: Any = STYLES.astype(object).copy()
    labels[:8] = None
    labels[ARTISTS == 19] = "polka"
    found = ut.probe(features(4.0), labels, groups=ARTISTS)
    assert found.rows == 68
    assert found.predictions[0] is None
    assert any("polka (4)" in note for note in found.notes)


def test_an_official_split_scores_its_test_rows() -> None:
    splits = np.where(ARTISTS < 6, "test", "train")
    found = ut.probe(features(4.0), STYLES, groups=ARTISTS, splits=splits)
    assert (found.rows, found.folds) == (24, 1)


def test_what_a_split_cannot_measure_is_said() -> None:
    """All labelled artists fall into one of five parts, so nothing is learned before they are held out."""
    together = fold_partition(ARTISTS, 5).cells == 0
    labels = np.where(np.arange(80) % 4 < 2, "live", "studio").astype(object)
    labels[~together] = None
    found = ut.probe(features(1.0), labels, groups=ARTISTS)
    assert (found.verdict, found.rows) == ("not measurable", 0)
    assert np.isnan(found.score)
    assert any(note.startswith("y is not measurable") for note in found.notes)


def test_a_probe_shows_its_score_beside_what_it_has_to_beat() -> None:
    text = repr(ut.probe(features(4.0), STYLES, groups=ARTISTS))
    assert text.startswith("Probe(accuracy 1.000 (0.")
    assert "baseline 0.500" in text
    assert "80 rows of 20 groups: better than both)" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"X": np.zeros((80, 2, 3))}, r"shape \(80, 2, 3\)"),
        ({"X": np.full((80, 2), np.nan)}, "NaN or infinite numbers in 80 of 80 rows"),
        ({"y": STYLES[:-1]}, "X has 80 rows and y 79"),
        ({"groups": ARTISTS[:-1]}, "X has 80 rows and groups 79"),
        ({"y": np.full(80, "jazz")}, "has 1 class with .* at least 2"),
        ({"loss": "hinge"}, "no loss 'hinge'"),
        ({"y": np.arange(80.0), "loss": "logistic"}, 'say kind="class"'),
        ({"folds": 1}, "1 folds hold nothing out"),
        ({"penalties": [0.0]}, "give positive numbers"),
        ({"controls": -1}, "-1 controls"),
        ({"kind": "label"}, "no kind of label"),
        ({"y": STYLES, "kind": "number"}, "no numbers"),
    ],
)
def test_wrong_arguments_are_told_with_their_value_and_a_cure(change: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"X": features(1.0), "y": STYLES, "groups": ARTISTS} | change
    with pytest.raises(ut.InvalidInput, match=said):
        ut.probe(arguments.pop("X"), arguments.pop("y"), **arguments)
