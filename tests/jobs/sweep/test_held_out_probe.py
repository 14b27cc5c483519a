"""A probe of clips that no direction has seen: what it is fitted on, what it hears, and where it stands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.evaluate.items import Item, Items
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.sweep.held_out_probe import ProbeSource, fit_held_out_probes
from jobs.sweep.labels import half_of, resolve_concept
from jobs.sweep.options import SweepOptions
from jobs.sweep.sweeping import run_sweep
from store import open_store
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query

pytestmark = pytest.mark.slow

RATE, RECORDINGS = 16_000, 24
LABELS = ("hum", "hiss")
ALL = "SELECT clip_id, label FROM clips"
FLIPPED = (
    "SELECT clip_id, CASE WHEN md5(group_id) < '8' THEN CASE label WHEN 'hum' THEN 'hiss' ELSE 'hum' END "
    "ELSE label END AS label FROM clips"
)
SWEEP = """
seconds = 0.5
random_states = [0, 1]
direction_clips = "half"
[[concepts]]
name = "label"
pairs = ["hum:hiss"]
texts = ["{class}", "slow {class}"]
[grid]
layers = [1]
"""


def sound(label: str, index: int) -> Any:
    random, time = np.random.default_rng(index), np.arange(RATE // 2) / RATE
    if label == "hiss":
        return 0.2 * random.standard_normal(len(time))
    return 0.3 * np.sin(2 * np.pi * (80 + 5 * (index % RECORDINGS)) * time) + 0.01 * random.standard_normal(
        len(time)
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("many")
    for label in LABELS:
        (folder / "sounds" / label).mkdir(parents=True)
        for index in range(RECORDINGS):
            soundfile.write(folder / "sounds" / label / f"{index}.wav", sound(label, index), RATE)
    url = str(folder / "music.store")
    add_dataset(AddRequest(url, "sounds", str(folder / "sounds"), clip_seconds=0.5))
    options = ExtractOptions(
        url, "sounds", model="pocket-random", sites="resid", layers="0,1,2", engine="inline"
    )
    assert run_extraction(options)["complete"]
    return url


def fitted(store: str, directions: str, everything: str) -> tuple[ProbeSource | None, list[str]]:
    opened = open_store(store)
    run = opened.run(*opened.runs())
    labels = {"label": resolve_concept(opened, run, "label", everything, directions)}
    return fit_held_out_probes(run, "resid.mean", labels, model="pocket-random", dtype="float32")


def test_labels_of_the_clips_of_directions_have_no_say_in_the_probe(store: str) -> None:
    one, other = (fitted(store, half_of(ALL), labels)[0] for labels in (ALL, FLIPPED))
    assert one is not None
    assert other is not None
    assert np.array_equal(one.probes[0].classifier.weights, other.probes[0].classifier.weights)
    swapped, _ = fitted(store, "SELECT clip_id, label FROM clips WHERE md5(group_id) >= '8'", FLIPPED)
    assert swapped is not None
    assert not np.allclose(one.probes[0].classifier.weights, swapped.probes[0].classifier.weights)


def test_labels_of_a_concept_whose_directions_use_every_clip_are_resolved_once(store: str) -> None:
    opened = open_store(store)
    run = opened.run(*opened.runs())
    every = resolve_concept(opened, run, "label", ALL, ALL)
    assert every.direction_rows is every.rows
    half = resolve_concept(opened, run, "label", ALL, half_of(ALL))
    assert set(half.direction_rows.clip_ids) < set(half.rows.clip_ids)
    assert half.direction_hash != every.direction_hash


def test_where_directions_use_every_clip_there_is_no_probe_but_a_cure(store: str) -> None:
    source, notes = fitted(store, ALL, ALL)
    assert source is None
    assert 'direction_clips = "half"' in notes[0]


def test_concepts_without_a_probe_are_named_in_one_sentence(store: str) -> None:
    opened = open_store(store)
    run = opened.run(*opened.runs())
    both = "SELECT clip_id, label, label AS other FROM clips"
    labels = {name: resolve_concept(opened, run, name, both, both) for name in ("label", "other")}
    source, notes = fit_held_out_probes(run, "resid.mean", labels, model="pocket-random", dtype="float32")
    assert (source, len(notes)) == (None, 1)
    assert "No held-out probe of label, other: " in notes[0]


def test_it_recognises_sounds_that_nobody_has_stored(store: str) -> None:
    source, _ = fitted(store, half_of(ALL), ALL)
    assert source is not None
    (probe,) = source.probes
    assert probe.classifier.accuracy > 0.7
    scorer = source(device="cpu")
    names = [(label, index) for label in LABELS for index in range(100, 110)]
    items = Items(None, tuple(Item(f"{label} {index}", "generation", "", "") for label, index in names))
    audio = np.stack([sound(*name) for name in names]).astype(np.float32)
    rows = scorer.rows_of(items, audio).to_pylist()
    hum = {row["item_id"]: row["value"] for row in rows if row["class"] == "hum"}
    means = {label: np.mean([hum[f"{label} {index}"] for index in range(100, 110)]) for label in LABELS}
    assert means["hum"] - means["hiss"] > 0.3


def test_a_sweep_stores_what_it_hears_beside_the_other_scorers(store: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)
    options = SweepOptions(
        store,
        str(path),
        engine="inline",
        scorers="probe,clap",
        roots=(f"sounds={Path(store).parent / 'sounds'}",),
    )
    summary = run_sweep(options)
    assert summary["complete"]
    assert summary["probe"].startswith("16 scored; label at layer")
    catalog = refresh_catalog(open_store(store))
    vectors = run_query(catalog, "SELECT max(clips) AS clips FROM vectors")["clips"][0].as_py()
    assert 10 < vectors < 2 * RECORDINGS - 10
    query = "SELECT scorer, metric, value, low, high FROM effects WHERE split = 'all'"
    found = {(row["scorer"], row["metric"]): row for row in run_query(catalog, query).to_pylist()}
    assert {"transfer", "retention", "fusion"} <= {name for scorer, name in found if scorer == "probe"}
    clips = found["clap", "kad_clips"]
    assert clips["low"] <= clips["value"] <= clips["high"]
    again = run_sweep(options)
    assert again["probe"].startswith("0 scored")
