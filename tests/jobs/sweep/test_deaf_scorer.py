"""A scorer that does not know the words of a concept says so, and another one chooses."""

from pathlib import Path
from typing import Any

import pytest

from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query

pytestmark = pytest.mark.slow

SWEEP = """
seconds = 1.0
random_states = [0]

[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{class}", "slow {class}"]

[grid]
layers = [1]
alphas = [0.5]
"""


@pytest.fixture
def swept(store: str, sounds: Path, tmp_path: Path) -> tuple[dict[str, Any], str]:
    """Summary and store of a sweep over classes whose names CLAP has never read."""
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)
    roots = (f"sounds={sounds}",)
    options = SweepOptions(store, str(path), engine="inline", scorers="features,clap", roots=roots)
    return run_sweep(options), store


def test_what_clap_has_no_words_for_is_unknown_and_features_choose(swept: tuple[dict[str, Any], str]) -> None:
    summary, store = swept
    assert "clap cannot tell apart" in summary["note"]
    catalog = refresh_catalog(open_store(store))

    def ask(query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = run_query(catalog, query).to_pylist()
        return rows

    (clap, features) = ask("FROM scorer_accuracy WHERE concept = 'label' ORDER BY scorer")
    assert sorted(clap["unknown"]) == ["hiss", "hum"]
    assert (features["scorer"], features["above_chance"]) == ("features", True)
    assert features["low"] < features["accuracy"]
    told = ask(
        "SELECT DISTINCT scorer, value IS NULL AS unknown FROM effects WHERE metric = 'transfer' ORDER BY 1"
    )
    assert told == [{"scorer": "clap", "unknown": True}, {"scorer": "features", "unknown": False}]
    assert ask("SELECT DISTINCT chosen_by FROM effects WHERE setting_id IS NOT NULL") == [
        {"chosen_by": "features"}
    ]
    assert ask("SELECT DISTINCT signatures FROM signatures WHERE scorer = 'clap'") == [
        {"signatures": ["not scored"]}
    ]
