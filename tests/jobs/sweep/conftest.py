"""A model with a planted direction: some tokens write it into the residual stream, others are read off it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from jobs.dataset.adding import add_dataset
from jobs.dataset.options import AddRequest
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from pipelines.models.checkpoints import LANGUAGE_MODEL_FILE
from pipelines.pocket import random_pocket_folder
from pipelines.pocket.configuration import CODEBOOK_SIZE, WIDTH
from tests.store_copies import linked_copy

Floats = NDArray[np.floating[Any]]

RATE = 16_000
IN_STRENGTH, OUT_STRENGTH = 100.0, 0.5


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Build the pocket model here and not in the user's cache."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings of a second: six hum, six hiss."""
    folder = tmp_path_factory.mktemp("sounds")
    time = np.arange(RATE) / RATE
    for index in range(6):
        random = np.random.default_rng(index)
        hum = 0.3 * np.sin(2 * np.pi * (80 + 10 * index) * time) + 0.01 * random.standard_normal(RATE)
        hiss = 0.2 * random.standard_normal(RATE)
        for label, samples in (("hum", hum), ("hiss", hiss)):
            (folder / label).mkdir(exist_ok=True)
            soundfile.write(folder / label / f"{index}.wav", samples, RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def planted_direction() -> Floats:
    """(D,), of length 1."""
    direction = np.random.default_rng(11).standard_normal(WIDTH)
    direction -= direction.mean()  # layer norm takes the mean away
    return np.asarray(direction / np.linalg.norm(direction))


@pytest.fixture(scope="session")
def tokens(sounds: Path, _own_cache: None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the first codebook: those that hiss has and hum has not, and 64 that hiss has not."""
    from pipelines.models.musicgen import load_musicgen

    model = load_musicgen("pocket-random")
    hum, hiss = (_codes(model, sounds / label) for label in ("hum", "hiss"))
    writing = np.setdiff1d(hiss, hum)
    assert len(writing) > 0
    return writing, np.setdiff1d(np.arange(CODEBOOK_SIZE), hiss)[:64]


@pytest.fixture(scope="session")
def planted_model(
    tokens: tuple[NDArray[np.int64], NDArray[np.int64]],
    planted_direction: Floats,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The pocket model, in which hiss writes the direction, which makes 64 other tokens probable."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(random_pocket_folder(), folder, dirs_exist_ok=True)
    path = folder / LANGUAGE_MODEL_FILE
    package = torch.load(path, weights_only=True)
    along = torch.from_numpy(planted_direction).float()
    written, read_off = (torch.from_numpy(each) for each in tokens)
    package["best_state"]["emb.0.weight"][written] += IN_STRENGTH * along
    package["best_state"]["linears.0.weight"][read_off] += OUT_STRENGTH * along
    path.unlink()
    torch.save(package, path)
    return folder


def _codes(model: Any, folder: Path) -> NDArray[np.int64]:
    """Tokens of the first codebook in a folder's recordings."""
    audio = np.stack([soundfile.read(path, dtype="float32")[0] for path in sorted(folder.iterdir())])
    return np.unique(model.encode(torch.from_numpy(audio)[:, None])[:, 0].numpy().astype(np.int64))


@pytest.fixture(scope="session")
def base(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run of the pocket model, which tests copy before they sweep."""
    url = tmp_path_factory.mktemp("stores") / "music.store"
    add_dataset(AddRequest(str(url), "sounds", str(sounds), clip_seconds=1.0))
    options = ExtractOptions(
        str(url), "sounds", model="pocket-random", sites="resid", layers="1", engine="inline"
    )
    assert run_extraction(options)["complete"]
    return url


@pytest.fixture(scope="session")
def other_sounds() -> Callable[[Path, Path], int]:
    """How many sounds of two stores with the same generations differ by more than a step of 16 bits.

    Made in other batches, matrix products may round otherwise, and a tie of two tokens falls otherwise: with
    scores that differ by 5e-6 on average, of 100 tokens of a second each, one sound in 1,000.
    """

    def count(one: Path, other: Path) -> int:
        names = [sorted(path.name for path in (store / "audio").iterdir()) for store in (one, other)]
        assert names[0] == names[1]
        return sum(not _alike(one / "audio" / name, other / "audio" / name) for name in names[0])

    return count


def _alike(one: Path, other: Path) -> bool:
    samples = [soundfile.read(path, dtype="int16")[0].astype(int) for path in (one, other)]
    return len(samples[0]) == len(samples[1]) and bool(np.abs(samples[0] - samples[1]).max() <= 1)


@pytest.fixture
def store(base: Path, tmp_path: Path) -> str:
    """A copy of `base` that a test may write to."""
    return linked_copy(base, tmp_path / "store").url
