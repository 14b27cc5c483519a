"""The control of the text alone: directions between two texts on the same clips, beside every effect."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.sweep.configuration import parse_sweep
from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import InvalidInput, NotFound

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

[controls]
text = "{class} sound"
"""


@pytest.fixture
def toml(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)
    return str(path)


def sweep(store: str, toml: str) -> dict[str, Any]:
    options = {"engine": "inline", "scorers": "descriptors", "run": plain_run(store)}
    return run_sweep(SweepOptions(store, toml, **options))  # type: ignore[arg-type]


def plain_run(store: str) -> str:
    opened = open_store(store)
    (found,) = [one for one in opened.runs() if opened.run(one).document["text"] == ""]
    return found


def extract(store: str, text: str) -> str:
    options = ExtractOptions(
        store, "sounds", model="pocket-random", sites="resid", layers="1", text=text, engine="inline"
    )
    return str(run_extraction(options)["run"])


def test_without_the_runs_that_it_needs_it_says_how_to_make_them(store: str, toml: str) -> None:
    with pytest.raises(NotFound) as caught:
        sweep(store, toml)
    assert "undertone extract" in str(caught.value)
    assert "--text 'hum sound'" in str(caught.value)
    assert "--text 'hiss sound'" in str(caught.value)


def test_its_directions_know_nothing_but_the_text_and_stand_beside_every_effect(
    store: str, toml: str
) -> None:
    runs = {name: extract(store, f"{name} sound") for name in ("hum", "hiss")}
    extract(store, "{label} sound")  # names the label of each clip: none of its directions may be taken
    done = sweep(store, toml)
    assert (done["generations"], done["complete"]) == (2 * 2 * 5, True)

    catalog = refresh_catalog(open_store(store))
    (stored,) = run_query(catalog, "FROM vectors WHERE concept = 'text of label'").to_pylist()
    means = {
        name: np.asarray(open_store(store).run(run).read_layer("resid.mean", 1)[0], np.float64).mean(axis=0)
        for name, run in runs.items()
    }
    expected = means["hiss"] - means["hum"]
    assert np.dot(stored["vector"], expected) / np.linalg.norm(expected) == pytest.approx(1, abs=1e-5)

    used = "SELECT DISTINCT vector_ids FROM generations JOIN sweep_generations USING (generation_id) "
    (text,) = run_query(catalog, used + "WHERE role = 'text'").to_pylist()
    (steered,) = run_query(catalog, used + "WHERE role = 'steered'").to_pylist()
    assert text["vector_ids"] == [stored["vector_id"]] != steered["vector_ids"]

    (effect,) = run_query(
        catalog, "FROM effects WHERE measured_class = 'onset_rate' AND metric = 'change' AND split = 'all'"
    ).to_pylist()
    assert effect["text"] is not None
    assert effect["over_text"] == pytest.approx(effect["value"] - effect["text"])
    assert sweep(store, toml)["generated"] == 0


def test_a_text_that_names_no_class_is_refused() -> None:
    with pytest.raises(InvalidInput, match="names no class"):
        parse_sweep({"name": "x", "concepts": [{"name": "style"}], "controls": {"text": "music"}})
