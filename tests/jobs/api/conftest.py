"""A small world of music: sixteen recordings in two genres, a store, and a model with random weights."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import undertone as ut
from pipelines.models.musicgen import MusicGenModel
from tests.store_copies import linked_copy

RATE = 16_000


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def genres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per genre: jazz hums, rock hisses."""
    folder = tmp_path_factory.mktemp("music") / "by-genre"
    time = np.arange(RATE) / RATE
    for index in range(8):
        random = np.random.default_rng(index)
        hum = 0.3 * np.sin(2 * np.pi * (80 + 10 * index) * time) + 0.01 * random.standard_normal(RATE)
        hiss = 0.2 * random.standard_normal(RATE)
        for label, samples in (("jazz", hum), ("rock", hiss)):
            (folder / label).mkdir(exist_ok=True, parents=True)
            soundfile.write(folder / label / f"{index}.wav", samples, RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def original(genres: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the dataset "songs" and a run of it; nothing may be written to it."""
    url = tmp_path_factory.mktemp("api") / "music.store"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(url.parent / "state"))
        ut.add_dataset(url, "songs", genres, clip_seconds=1.0)
        with pytest.warns(ut.UndertoneWarning, match="random weights"):
            ut.extract(url, "songs", model="pocket-random", sites=["resid"], layers=range(2, 4))
    return url


@pytest.fixture
def music(original: Path, tmp_path: Path) -> ut.Store:
    """A copy of that store which a test may write to."""
    return ut.open_store(linked_copy(original, tmp_path / "music.store").url)


@pytest.fixture(scope="session")
def model() -> MusicGenModel:
    """The model with random weights."""
    model = ut.load_model("pocket-random", device="cpu")
    assert isinstance(model, MusicGenModel)
    return model
