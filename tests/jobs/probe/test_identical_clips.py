"""Clips that are all the same: probes find nothing and k-means one cluster, without a crash."""

import numpy as np
import pytest

from jobs.kmeans.options import KmeansOptions
from jobs.kmeans.running import run_kmeans
from jobs.probe.options import ProbeOptions
from jobs.probe.running import probe_run
from store.opening import Store, open_store
from store.records import ArraySpec, ClipStatus, PlannedClip


@pytest.fixture
def same(planted: Store) -> Store:
    """A run over the planted dataset in which all activations are equal."""
    clips = [clip for unit in planted.run("songs-planted").units() for clip in unit.clips]
    run = planted.create_run(
        "same",
        document={"dataset": dict(planted.run("songs-planted").document["dataset"])},
        arrays=[ArraySpec("resid.mean", ("layer", "feature"), (1, 4), "float32", {"layers": [0]})],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips],
        unit_clips=len(clips),
    )
    (unit,) = run.units()
    with run.begin(unit, provenance={}) as pending:
        pending.add("resid.mean", 0, np.full((len(clips), 1, 4), 0.3, np.float32))
        pending.commit([ClipStatus(clip.clip_id, "ok") for clip in clips], {})
    run.note_complete()
    return open_store(planted.url)


@pytest.mark.parametrize("loss", ["mse", "logistic"])
def test_a_probe_of_equal_rows_is_no_better_than_guessing(same: Store, loss: str) -> None:
    labels = "SELECT clip_id, style FROM clips"
    options = ProbeOptions(
        same.url, "same", labels, loss=loss, engine="inline", handcrafted=False, controls=1
    )
    (row,) = [row for row in probe_run(options).table.to_pylist() if row["class"] is None]
    assert row["accuracy"] <= row["baseline_accuracy"] + 0.05


def test_equal_rows_are_clustered_without_a_crash(same: Store) -> None:
    labels = "SELECT clip_id, style FROM clips"
    found = run_kmeans(KmeansOptions(same.url, "same", labels, engine="inline", starts=2))
    (row,) = found.summary["best"]
    assert row.ari == pytest.approx(0)
