"""Which of the stored scores count for a sweep."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.evaluate.zero_shot import PromptSet
from jobs.sweep.scores import read_scores
from store import open_store
from store.opening import Store
from store.results.parts import write_results
from store.results.sounds import EVALUATIONS, EvaluationRow

TWO = PromptSet("style", {"rock": "rock music", "jazz": "jazz music"})
THREE = PromptSet("style", {**TWO.texts, "folk": "folk music"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "music.store"), create=True)


def write(store: Store, prompts: PromptSet, value: float, *, hour: int, version: str = "v1") -> None:
    row = EvaluationRow(
        item_id="sound", item_kind="generation", scorer="clap", scorer_name="small", scorer_version=version,
        concept="style", class_="rock", text="rock music", prompt_set=prompts.digest, measure="probability",
        value=value, created_at=datetime(2026, 1, 1, hour, tzinfo=UTC),
    )  # fmt: skip
    write_results(store, EVALUATIONS.kind, {"row": [value, hour]}, EVALUATIONS.of([row]))


def test_a_probability_among_other_classes_does_not_count_though_it_is_newer(store: Store) -> None:
    write(store, TWO, 0.75, hour=1)
    write(store, THREE, 0.25, hour=2)
    for prompts, expected in ((TWO, 0.75), (THREE, 0.25)):
        scores = read_scores(store, ["sound"], prompt_sets={"style": prompts.digest})
        assert scores.numbers["clap", "style", "rock", "probability"].tolist() == [expected]


def test_the_version_that_is_asked_for_counts_though_another_is_newer(store: Store) -> None:
    write(store, TWO, 0.75, hour=1, version="v1")
    write(store, TWO, 0.25, hour=2, version="v2")
    asked = {"style": TWO.digest}
    for versions, expected in (({"clap": "v1"}, [0.75]), ({"clap": "v2"}, [0.25]), (None, [0.25])):
        scores = read_scores(store, ["sound"], prompt_sets=asked, versions=versions)
        assert scores.numbers["clap", "style", "rock", "probability"].tolist() == expected
    assert read_scores(store, ["sound"], prompt_sets=asked, versions={"clap": ""}).numbers == {}


def test_a_prompt_set_is_known_by_its_texts_and_not_by_their_order() -> None:
    turned = PromptSet("other", dict(reversed(list(TWO.texts.items()))))
    assert turned.digest == TWO.digest
    assert THREE.digest != TWO.digest
