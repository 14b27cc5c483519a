"""A small store to try plug-ins on: a run of 48 clips and two layers, with directions fitted to it."""

from pathlib import Path

import numpy as np

from jobs.directions.fitting import fit_and_store
from jobs.directions.options import DirectionOptions
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

CLIPS, GROUPS, LAYERS, WIDTH = 48, 12, 2, 6
STYLES = ("rock", "jazz")
RUN = "example"


def write_example_store(folder: Path) -> Store:
    """Make the store in a folder that does not exist yet."""
    store = open_store(folder, create=True)
    styles = [STYLES[number % GROUPS % len(STYLES)] for number in range(CLIPS)]
    clips = [
        Clip(
            clip_id=f"clip{number:02d}",
            uri=f"{number}.wav",
            start_seconds=0.0,
            duration_seconds=4.0,
            group=f"artist {number % GROUPS}",
            split=None,
            sha256=f"{number:064x}",
            tail_seconds=0.0,
            labels={"style": style},
        )
        for number, style in enumerate(styles)
    ]
    info = {
        "format": "folder",
        "clip_seconds": 4.0,
        "hop_seconds": 4.0,
        "root": {"kind": "local"},
        "notes": "",
    }
    store.add_dataset("songs", info, clips, [])
    _write_run(store, clips)
    options = DirectionOptions(
        store.url, RUN, "SELECT clip_id, style FROM clips", methods="diffmean,random", engine="inline"
    )
    fit_and_store(options)
    return store


def _write_run(store: Store, clips: list[Clip]) -> None:
    """Activations in which the style shifts the first feature, by more in the second layer."""
    jazz = np.array([clip.labels["style"] == "jazz" for clip in clips])
    rows = np.random.default_rng(0).standard_normal((CLIPS, LAYERS, WIDTH)).astype(np.float32)
    rows[jazz, :, 0] += np.array([1.0, 4.0], np.float32)
    model = {"name": "toy", "fingerprint": "f00d", "random_weights": True, "layers": LAYERS, "width": WIDTH}
    attributes = {"layers": list(range(LAYERS))}
    spec = ArraySpec("resid.mean", ("layer", "feature"), (LAYERS, WIDTH), "float32", attributes)
    run = store.create_run(
        RUN,
        document={"dataset": {"name": "songs"}, "model": model},
        arrays=[spec],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips],
        unit_clips=CLIPS,
    )
    for unit in run.units():
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, rows[unit.first_row : unit.first_row + len(unit.clips)])
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    run.note_complete()
