"""A planted world: 120 clips of 40 artists, whose activations hold a style and a tempo in one layer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, Failure, PlannedClip

CLIPS, ARTISTS, LAYERS, FRAMES, WIDTH = 120, 40, 2, 5, 12
STYLES = ("jazz", "rock", "techno")


def planted_clips() -> list[Clip]:
    """Three clips per artist; an artist has one style. Only the last artist is "ambient"."""
    return [
        Clip(
            f"clip{number:03d}",
            f"{number:03d}.wav",
            0.0,
            4.0,
            f"artist{number % ARTISTS:02d}",
            "test" if number % ARTISTS % 4 == 0 else "train",
            f"{number:064x}",
            0.0,
            {
                "style": STYLES[number % ARTISTS % 3] if number % ARTISTS < ARTISTS - 1 else "ambient",
                "tempo": 60 + 2 * number % 97,
                "live": number % ARTISTS % 2 == 0,
                "vocals": ("yes" if number % ARTISTS % 5 < 2 else "no") if number % ARTISTS < 30 else None,
            },
        )
        for number in range(CLIPS)
    ]


def planted_activations(clips: Sequence[Clip]) -> np.ndarray:
    """Noise (clip, layer, frame, feature); layer 1 has the style in features 0–2, the tempo in 3."""
    random = np.random.default_rng(0)
    values = random.normal(size=(CLIPS, LAYERS, FRAMES, WIDTH))
    for place, clip in enumerate(clips):
        if clip.labels["style"] in STYLES:
            values[place, 1, :, STYLES.index(str(clip.labels["style"]))] += 2.0
        values[place, 1, :, 3] += (float(clip.labels["tempo"] or 0) - 100) / 20
    values[:, :, :, 4] += 120  # an outlier channel
    return np.asarray(values, dtype=np.float32)


@pytest.fixture
def planted(tmp_path: Path) -> Store:
    """The store; its run has "resid.mean" and "resid.frames", no model and no audio; clip 7 failed."""
    store = open_store(tmp_path / "planted.store", create=True)
    clips = planted_clips()
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    dataset = store.add_dataset("songs", info, clips, [])
    layers = {"layers": list(range(LAYERS))}
    arrays = [
        ArraySpec("resid.mean", ("layer", "feature"), (LAYERS, WIDTH), "float32", layers),
        ArraySpec("resid.frames", ("layer", "time", "feature"), (LAYERS, FRAMES, WIDTH), "float32", layers),
    ]
    run = store.create_run(
        "songs-planted",
        document={"dataset": {"name": "songs", "fingerprint": dataset.fingerprint}},
        arrays=arrays,
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips],
        unit_clips=16,
    )
    values = planted_activations(clips)
    values[7] = np.nan
    for unit in run.units():
        rows = slice(unit.first_row, unit.first_row + len(unit.clips))
        statuses = [_status(clip.clip_id) for clip in unit.clips]
        with run.begin(unit, provenance={}) as pending:
            pending.add("resid.mean", 0, values[rows].mean(axis=2))
            pending.add("resid.frames", 0, values[rows])
            pending.commit(statuses, {})
    run.note_complete()
    return store


def _status(clip_id: str) -> ClipStatus:
    if clip_id == "clip007":
        return ClipStatus(clip_id, "failed", Failure(clip_id, "decode", "AudioError", "damaged"))
    return ClipStatus(clip_id, "ok")
