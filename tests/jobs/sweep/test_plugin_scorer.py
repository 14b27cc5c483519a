"""A plug-in's scorer hears a sweep like the judge does: its accuracy and its effects stand beside others'."""

from pathlib import Path
from typing import Any

import pytest

from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.asking import Catalog
from store.errors import InvalidInput

SWEEP = """
seconds = 0.5
random_states = [0]

[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{class}", "slow {class}"]

[grid]
layers = [1]
alphas = [0.5]
"""
PLUGIN = '''
import numpy as np
from pipelines.scorers.protocol import ScorerFactory, Scores

class Roughness:
    """Hum is slow, hiss is not: the share of energy that remains when neighbours are subtracted."""

    name, version, sample_rate = "roughness", "1", 16_000

    def score(self, audio):
        change = np.square(np.diff(audio, axis=1)).sum(axis=1) / np.square(audio).sum(axis=1).clip(1e-12)
        hiss = np.clip(change / 2, 0, 1)
        return [Scores("label", "probability", np.stack([1 - hiss, hiss], axis=1), ("hum", "hiss"))]

SCORER = ScorerFactory(lambda device: Roughness(), choice_rank=50)
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "site" / "roughness-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: roughness\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[undertone.scorers]\nrough = sweep_roughness:SCORER\n")
    (about.parent / "sweep_roughness.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(about.parent)


def options(store: str, path: Path, sounds: Path) -> SweepOptions:
    return SweepOptions(
        store, str(path), engine="inline", scorers="descriptors,rough", roots=(f"sounds={sounds}",)
    )


@pytest.mark.slow
def test_it_is_measured_on_recordings_and_measures_what_steering_does(
    store: str, sounds: Path, tmp_path: Path, plugin: None
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)
    run_sweep(options(store, path, sounds))
    catalog = Catalog.of(open_store(store))
    (said,) = catalog.rows(
        "SELECT scorer, accuracy, above_chance FROM scorer_accuracy WHERE concept = 'label'"
    )
    assert said == {"scorer": "rough", "accuracy": 1.0, "above_chance": True}
    rows: list[dict[str, Any]] = catalog.rows("FROM effects WHERE metric = 'transfer' AND scorer = 'rough'")
    assert {row["target"] for row in rows} == {"hiss"}
    assert all(row["value"] is not None for row in rows)
    assert {row["chosen_by"] for row in rows} == {"rough"}


def test_a_name_that_nobody_has_is_refused_with_those_there_are(
    tmp_path: Path, sounds: Path, plugin: None
) -> None:
    with pytest.raises(InvalidInput, match=r"no 'rouh'; choose all, or from .*judge.*rough"):
        SweepOptions("s", "mine.toml", scorers="rouh")
