"""A stereo model from recordings to sounds: left and right stay apart, mono is heard on both sides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from numpy.typing import NDArray

import undertone as ut
from jobs.cli.main import undertone
from jobs.generate.records import opened_sound
from jobs.sweep.scoring import read_samples
from pipelines.models.named import load_named_model
from store.opening import open_store

WriteCheckpoint = Callable[..., Path]
RATE = 16_000


def tones(seed: int, channels: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(RATE, channels))
    return (np.round(noise * 2**15) / 2**15).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> ut.Store:
    folder = tmp_path / "songs"
    folder.mkdir()
    for name, channels in (("both", 2), ("one", 1)):
        soundfile.write(folder / f"{name}.wav", tones(channels, channels), RATE)
    store = ut.open_store(tmp_path / "music.store", create=True)
    ut.add_dataset(store, "songs", folder, clip_seconds=1.0)
    return store


def stored_codes(store: ut.Store, run: ut.Run) -> dict[str, NDArray[Any]]:
    codes = store.opened.codes(run.document["codes"])
    uris = {clip.clip_id: clip.uri for unit in codes.plan().units() for clip in unit.clips}
    return {uri: codes.read_clips("codes", [clip_id])[0] for clip_id, uri in uris.items()}


def test_channels_are_kept_from_recordings_to_sounds(
    store: ut.Store, write_convertible: WriteCheckpoint, tmp_path: Path
) -> None:
    folder = write_convertible(tmp_path / "stereo", "stereo")
    options: Any = {"sites": ["resid"], "layers": [1], "device": "cpu"}
    with pytest.warns(ut.UndertoneWarning, match="1 of 2 recordings of songs are mono"):
        run = ut.extract(store, "songs", model=folder, **options)
    other = ut.extract(store, "songs", model=write_convertible(tmp_path / "mono"), **options)
    assert run.document["codes"] != other.document["codes"]
    assert store.opened.codes(run.document["codes"]).document["channels"] == 2

    model, found = load_named_model(str(folder)), stored_codes(store, run)
    for uri, audio in (("both.wav", tones(2, 2)), ("one.wav", np.repeat(tones(1, 1), 2, axis=1))):
        expected = model.encode(torch.from_numpy(audio.T[None]))[0].numpy()
        assert np.mean(found[uri] == expected) > 0.99, uri
    assert not np.array_equal(found["both.wav"][::2], found["both.wav"][1::2])
    np.testing.assert_array_equal(found["one.wav"][::2], found["one.wav"][1::2])

    kept = ut.generate_into(store, "jazz", model=folder, seconds=0.5, device="cpu")
    assert kept.sound.samples.shape == (8000, 2)
    assert kept.sound.seconds == 0.5
    assert not np.array_equal(kept.sound.samples[:, 0], kept.sound.samples[:, 1])
    opened = open_store(store.url)
    with opened_sound(opened, kept.id) as file:
        assert file.channels == 2
        both = file.read(dtype="float32")
    np.testing.assert_allclose(read_samples(opened, kept.id)[0], both.mean(axis=1), atol=1e-6)
    every, prompts = "SELECT generation_id FROM generations", {"style": ["rock", "jazz"]}
    assert ut.evaluate(store, generations=every, prompts=prompts, device="cpu").failed == 0


def test_that_mono_recordings_are_heard_on_both_sides_is_said_once(
    store: ut.Store, write_convertible: WriteCheckpoint, tmp_path: Path
) -> None:
    folder = write_convertible(tmp_path / "stereo", "stereo")
    options = ["--model", str(folder), "--sites", "resid", "--device", "cpu", "--engine", "inline"]
    told = CliRunner().invoke(undertone, ["extract", store.url, "songs", *options])
    assert told.exit_code == 0, told.output
    said = "stereo hears two channels; 1 of 2 recordings of songs are mono and are heard on both sides."
    assert " ".join(told.output.split()).count(said) == 1
