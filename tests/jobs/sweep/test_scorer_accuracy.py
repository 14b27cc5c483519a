"""Accuracy of scorers on labelled clips, and what becomes of scores of classes they cannot tell apart."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.effects.scores import ScorerAccuracy, Scores, accuracy_of
from jobs.sweep.scores import inaccuracy_notes, stored_accuracies
from store import open_store
from store.results.parts import write_results
from store.results.sounds import EVALUATIONS, EvaluationRow
from store.results.table import now

LABELS = np.repeat(["drone", "beat"], 40)
GROUPS = np.arange(80) // 2


def test_a_scorer_that_always_says_the_same_hears_nothing() -> None:
    found = accuracy_of("clap", "v", "mood", LABELS == "beat", labels=LABELS, groups=GROUPS)
    assert (found.accuracy, found.chance, found.above_chance) == (0.5, 0.5, False)
    (note,) = inaccuracy_notes([found])
    assert "clap cannot tell classes of mood apart" in note
    assert "0.50 of 80 labelled clips" in note


def test_a_scorer_that_is_mostly_right_hears() -> None:
    hits = np.arange(80) % 10 != 0
    found = accuracy_of("judge", "v", "mood", hits, labels=LABELS, groups=GROUPS)
    assert found.accuracy == 0.9
    assert found.low is not None
    assert 0.5 < found.low < 0.9
    assert found.above_chance is True
    assert inaccuracy_notes([found]) == []


@pytest.mark.parametrize(("low", "above_chance"), [(0.45, False), (0.5, False), (0.55, True)])
def test_a_scorer_hears_where_its_whole_interval_lies_above_chance(low: float, *, above_chance: bool) -> None:
    found = ScorerAccuracy("clap", "v", "mood", accuracy=0.6, low=low, high=0.75, chance=0.5)
    assert found.above_chance is above_chance
    assert found.unsure_of("beat") is not above_chance


def test_an_unbalanced_set_is_compared_with_its_largest_class() -> None:
    labels = np.array(["drone"] * 72 + ["beat"] * 8)
    found = accuracy_of("clap", "v", "mood", labels == "drone", labels=labels, groups=np.arange(80))
    assert (found.accuracy, found.above_chance) == (0.9, False)


def test_what_nobody_could_ask_is_neither_deaf_nor_hearing() -> None:
    found = accuracy_of("clap", "v", "mood", np.zeros(0, bool), labels=[], groups=[])
    assert (found.accuracy, found.above_chance) == (None, None)
    assert not found.unsure_of("beat")


@pytest.mark.parametrize(
    ("accuracy", "unknown"),
    [
        (ScorerAccuracy("clap", "v", "mood", accuracy=0.5, low=0.4, high=0.6, chance=0.5), {"drone", "beat"}),
        (ScorerAccuracy("clap", "v", "mood", unknown=("beat",)), {"beat"}),
        (ScorerAccuracy("judge", "v", "mood", accuracy=0.5, low=0.4, high=0.6, chance=0.5), set()),
    ],
)
def test_what_a_deaf_scorer_says_is_unknown_and_not_no_change(
    accuracy: ScorerAccuracy, unknown: set[str]
) -> None:
    keys = [("clap", "mood", name, "probability") for name in ("drone", "beat")]
    other = ("clap", "style", "drone", "probability")
    scores = Scores({"a": 0, "b": 1}, {key: np.array([0.2, 0.8]) for key in (*keys, other)}, {}, None, {})
    believed = scores.believed([accuracy])
    assert {key[2] for key in keys if np.isnan(believed.numbers[key]).all()} == unknown
    assert np.isfinite(believed.numbers[other]).all()
    assert np.isfinite(scores.numbers[keys[0]]).all()


def test_a_scorer_to_which_all_classes_are_alike_always_says_the_same(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "music.store"), create=True)
    clips = {f"clip-{number}": (f"group-{number}", ("drone", "beat")[number % 2]) for number in range(40)}
    rows = [
        EvaluationRow(
            item_id=clip, item_kind="clip", scorer="clap", scorer_name="small", scorer_version="v",
            concept="mood", class_=name, measure="probability", value=0.5, created_at=now(),
        )
        for clip in clips
        for name in ("drone", "beat")
    ]  # fmt: skip
    write_results(store, EVALUATIONS.kind, {}, EVALUATIONS.of(rows))
    labels: Any = {"mood": SimpleNamespace(reference=clips)}
    (found,) = stored_accuracies(store, labels, "clap", "v")
    assert (found.clips, found.accuracy, found.above_chance) == (40, 0.5, False)
