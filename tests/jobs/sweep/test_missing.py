"""What cannot be made leaves holes in a sweep, and not nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipelines.generation.generate
from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query

pytestmark = pytest.mark.slow

SWEEP = """
seconds = 0.5
random_states = [0, 1]
[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{class}", "slow {class}"]
[grid]
layers = [1]
alphas = [0.5]
"""


@pytest.fixture
def sweep(store: str, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)
    return lambda: run_sweep(
        SweepOptions(store, str(path), engine="inline", scorers="descriptors,similarity", unit=1)
    )


def test_effects_are_of_what_could_be_made_and_say_what_is_missing(
    store: str, sweep: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = pipelines.generation.generate.generate

    def poisoned(model: Any, requests: Any, **options: Any) -> Any:
        if any(
            request.text == "slow hum" and request.random_state == 1 and request.steering.edits
            for request in requests
        ):
            raise ValueError("poison")
        return generate(model, requests, **options)

    monkeypatch.setattr(pipelines.generation.generate, "generate", poisoned)
    summary = sweep()
    assert (summary["complete"], summary["failed"]) == (False, 2)
    assert summary["damage_limit"].startswith("not applied to 1 of 1 settings: no CLAP has embedded")
    assert "2 generations that could not be made" in summary["effects_without"]
    of_onsets = "split = 'all' AND measured_class = 'onset_rate'"
    query = f"SELECT DISTINCT conditions, missing FROM effects WHERE {of_onsets}"
    assert ask(store, query) == [{"conditions": 3, "missing": 1}]

    monkeypatch.undo()
    healed = sweep()
    assert (healed["complete"], healed["generated"], "effects_without" in healed) == (True, 2, False)
    assert ask(store, query) == [{"conditions": 4, "missing": 0}]


def ask(store: str, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(open_store(store)), query).to_pylist()
    return rows
