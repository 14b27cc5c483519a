"""A run without a model: activations in which a style is planted, more clearly the deeper the layer."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip

STYLES = ("rock", "jazz", "polka")
CLIPS, GROUPS, LAYERS, WIDTH, FRAMES = 120, 30, 3, 24, 5
SITES = ("resid", "attn")
STYLE_OF_CLIP = (np.arange(CLIPS) % GROUPS % len(STYLES)).astype(np.int64)


def style_clips() -> list[Clip]:
    """Labels: style (one per group), mood (without meaning; NULL for every second clip), tempo (a number)."""
    moods = np.random.default_rng(0).integers(0, 2, CLIPS)
    labels = [
        {
            "style": STYLES[STYLE_OF_CLIP[number]],
            "mood": None if number % 2 else ("calm", "wild")[moods[number]],
            "tempo": 60.0 + number,
        }
        for number in range(CLIPS)
    ]
    return [
        Clip(f"clip{n:04d}", f"{n}.wav", 0.0, 4.0, f"artist {n % GROUPS}", "train", "0" * 64, 0.0, labels[n])
        for n in range(CLIPS)
    ]


def planted_frames(site: int) -> NDArray[np.float32]:
    """Frames (clip, layer, time, feature): the style shifts them by 2 per layer, the first knows nothing."""
    random = np.random.default_rng(site)
    axes = np.linalg.qr(random.standard_normal((WIDTH, len(STYLES))))[0].T
    frames = random.standard_normal((CLIPS, LAYERS, FRAMES, WIDTH)) + 10 * random.standard_normal(WIDTH)
    for layer in range(LAYERS):
        frames[:, layer] += 2.0 * layer * axes[STYLE_OF_CLIP][:, np.newaxis]
    return np.asarray(frames, dtype=np.float32)


def arrays() -> list[ArraySpec]:
    """Means and frames of both sites."""
    layers = {"layers": list(range(LAYERS))}
    found = []
    for site in SITES:
        axes = ("layer", "time", "feature")
        found += [
            ArraySpec(f"{site}.mean", ("layer", "feature"), (LAYERS, WIDTH), "float32", layers),
            ArraySpec(f"{site}.frames", axes, (LAYERS, FRAMES, WIDTH), "float32", layers),
        ]
    return found


@pytest.fixture
def planted_store(tmp_path: Path) -> Store:
    """A store with the dataset "songs" and its run "toy"."""
    store = open_store(tmp_path / "planted.store", create=True)
    clips = style_clips()
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    store.add_dataset("songs", info, clips, [])
    model = {"name": "toy", "fingerprint": "f00d", "random_weights": True, "layers": LAYERS, "width": WIDTH}
    planned = [PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips]
    document = {"dataset": {"name": "songs"}, "model": model}
    run = store.create_run("toy", document=document, arrays=arrays(), clips=planned, unit_clips=16)
    frames = {site: planted_frames(number) for number, site in enumerate(SITES)}
    for unit in run.units():
        rows = slice(unit.first_row, unit.first_row + len(unit.clips))
        with run.begin(unit, provenance={}) as pending:
            for site in SITES:
                pending.add(f"{site}.frames", 0, frames[site][rows])
                pending.add(f"{site}.mean", 0, frames[site][rows].mean(axis=2))
            pending.commit([ClipStatus(clip.clip_id, "ok") for clip in unit.clips], {})
    return store
