"""A planted world: 120 clips of 40 artists, whose activations hold a style and a tempo in one layer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, Failure, PlannedClip
from tests.store_copies import linked_copy

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
def planted(planted_once: Path, tmp_path: Path) -> Store:
    """The store; its run has "resid.mean" and "resid.frames", no model and no audio; clip 7 failed."""
    return linked_copy(planted_once, tmp_path / "planted.store")


@pytest.fixture(scope="session")
def planted_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `planted` is a copy of; nothing may be written to it."""
    store = open_store(tmp_path_factory.mktemp("once") / "planted.store", create=True)
    clips = planted_clips()
    info = {"format": "folder", "clip_seconds": 4.0, "hop_seconds": 4.0, "root": {"kind": "local"}}
    dataset = store.add_dataset("songs", info, clips, [])
    write_run(store, "songs-planted", "resid", activations(clips), dataset.fingerprint)
    return Path(store.url)


@pytest.fixture
def planted_heads(planted: Store) -> Store:
    """Two runs more: "heads" has the same as three heads of the site "head", "alone" the first of them."""
    values = activations(planted_clips())
    fingerprint = planted.dataset("songs").fingerprint
    write_run(planted, "heads", "head", values, fingerprint, heads=3)
    write_run(planted, "alone", "resid", values[..., : WIDTH // 3], fingerprint)
    return planted


def activations(clips: Sequence[Clip]) -> np.ndarray:
    """The planted ones, without those of the clip that failed."""
    values = planted_activations(clips)
    values[7] = np.nan
    return values


def write_run(
    store: Store, name: str, site: str, values: np.ndarray, fingerprint: str, **attributes: int
) -> None:
    """A run of one site with its means and frames."""
    width = values.shape[-1]
    described = {"layers": list(range(LAYERS)), **attributes}
    clips = planted_clips()
    axes = ("layer", "time", "feature")
    run = store.create_run(
        name,
        document={
            "dataset": {"name": "songs", "fingerprint": fingerprint},
            "model": {"name": "toy", "fingerprint": "f00d", "layers": LAYERS, "random_weights": True},
        },
        arrays=[
            ArraySpec(f"{site}.mean", ("layer", "feature"), (LAYERS, width), "float32", described),
            ArraySpec(f"{site}.frames", axes, (LAYERS, FRAMES, width), "float32", described),
        ],
        clips=[PlannedClip(clip.clip_id, clip.uri, 0.0, 4.0) for clip in clips],
        unit_clips=16,
    )
    for unit in run.units():
        rows = slice(unit.first_row, unit.first_row + len(unit.clips))
        statuses = [_status(clip.clip_id) for clip in unit.clips]
        with run.begin(unit, provenance={}) as pending:
            pending.add(f"{site}.mean", 0, values[rows].mean(axis=2))
            pending.add(f"{site}.frames", 0, values[rows])
            pending.commit(statuses, {})
    run.note_complete()


def _status(clip_id: str) -> ClipStatus:
    if clip_id == "clip007":
        return ClipStatus(clip_id, "failed", Failure(clip_id, "decode", "AudioError", "damaged"))
    return ClipStatus(clip_id, "ok")
