"""A small world for jobs: eleven one-second recordings, one of them silent, as a dataset of a fresh store."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jobs.datasets.adding import AddRequest, add_dataset

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
