"""Two small worlds for jobs: eleven recordings, and a run whose activations hold a planted style."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from store.opening import Store, open_store
from store.records import ArraySpec, Clip, ClipStatus, PlannedClip
from tests.store_copies import linked_copy

RATE = 16_000
RECORDINGS = 11


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what commands remember about this user inside the test's folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def _tone(index: int) -> np.ndarray:
    """A few seconds' worth of something that differs per recording: harmonics, vibrato, noise."""
    random = np.random.default_rng(index)
    time = np.arange(RATE) / RATE
    pitch = 110.0 * 2 ** (index / 5) * (1 + 0.01 * np.sin(2 * np.pi * 5 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 6)) + 0.05 * random.standard_normal(RATE)
    return np.asarray(0.2 * sound, dtype=np.float32)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of label folders."""
    folder = tmp_path_factory.mktemp("recordings")
    for index in range(RECORDINGS):
        path = folder / ("low" if index < 5 else "high") / f"{index:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.zeros(RATE) if index == 7 else _tone(index), RATE, subtype="PCM_16")
    return folder


@pytest.fixture
def audio(recordings: Path, tmp_path: Path) -> Path:
    """A copy of the recordings that a test may damage."""
    return Path(shutil.copytree(recordings, tmp_path / "my música"))


@pytest.fixture
def make_store(audio: Path, tmp_path: Path) -> Callable[[str], str]:
    """Make stores that hold the dataset "tones", by name."""

    def make(name: str) -> str:
        store = str(tmp_path / name)
        add_dataset(AddRequest(store, "tones", str(audio), clip_seconds=1.0))
        return store

    return make


@pytest.fixture
def store(make_store: Callable[[str], str]) -> str:
    """A store that holds the dataset "tones" and no run."""
    return make_store("music.store")


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
        Clip(
            f"clip{n:04d}", f"{n}.wav", 0.0, 4.0, f"artist {n % GROUPS}", "train", f"{n:064x}", 0.0, labels[n]
        )
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
def planted_store(planted_original: Path, tmp_path: Path) -> Store:
    """A store with the run "toy": a style is planted, more clearly the deeper the layer."""
    return linked_copy(planted_original, tmp_path / "planted.store")


@pytest.fixture(scope="session")
def planted_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `planted_store` is a copy of; nothing may be written to it."""
    folder = tmp_path_factory.mktemp("planted") / "planted.store"
    store = open_store(folder, create=True)
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
    run.note_complete()
    return folder
