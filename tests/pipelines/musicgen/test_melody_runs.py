"""Runs of a melody model: with a melody every clip is conditioned on it, and the run is another one."""

import json
import wave
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import undertone as ut
from jobs.sweep.expansion import read_audio_prompts
from pipelines.capture import CaptureSpec, capture
from pipelines.generation.generate import GenerationRequest, generate
from pipelines.models.named import describe_model, load_named_model
from store.errors import ModelError

WriteCheckpoint = Callable[..., Path]
RATE = 16_000


def write_tone(path: Path, pitch: float, seconds: float = 1.0) -> Path:
    samples = 0.4 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def read_tone(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path), "rb") as file:
        return np.asarray(np.frombuffer(file.readframes(10**6), "<i2") / 32768, np.float32)


@pytest.fixture
def store(tmp_path: Path) -> ut.Store:
    for number in range(6):
        label, pitch = ("low", 220.0 + number) if number < 3 else ("high", 880.0 + number)
        write_tone(tmp_path / "tones" / label / f"{pitch:g}.wav", pitch)
    store = ut.open_store(tmp_path / "music.store", create=True)
    ut.add_dataset(store, "tones", tmp_path / "tones", clip_seconds=1.0)
    return store


@pytest.mark.usefixtures("stems_that_are_voice")
def test_every_clip_is_conditioned_on_the_melody_and_the_run_is_another(
    store: ut.Store, write_melody_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    folder = write_melody_checkpoint(tmp_path / "melody")
    hum = write_tone(tmp_path / "hum.wav", 370.0, seconds=1.5)  # silence has the chroma of a C
    options: Any = {"model": folder, "sites": ["resid"], "layers": [1], "text": "rock", "device": "cpu"}
    plain = ut.extract(store, "tones", **options)
    followed = ut.extract(store, "tones", melody=hum, **options)
    assert followed.id != plain.id
    assert "melody_sha256" not in plain.document
    assert ut.extract(store, "tones", melody=hum, **options).id == followed.id

    model = load_named_model(str(folder))
    conditions = model.conditions.encode_melody("rock", read_tone(hum))
    found, ids = followed.layer("resid.mean", 1)
    for row, clip_id in zip(found, ids, strict=True):
        (uri,) = [one["uri"] for one in store.sql("FROM clips") if one["clip_id"] == clip_id]
        audio = torch.from_numpy(read_tone(tmp_path / "tones" / uri))[None, None]
        codes = model.encode(audio)
        with capture(model, CaptureSpec(("resid",), (1,))) as seen:
            model.forward(codes, conditions)
        np.testing.assert_allclose(row, seen.arrays()["resid.mean"][0, 0], rtol=1e-3, atol=1e-4)
    assert np.abs(found - plain.layer("resid.mean", 1)[0]).max() > 1e-3


def test_without_a_separator_the_job_ends_before_a_clip_is_computed(
    store: ut.Store,
    write_melody_checkpoint: WriteCheckpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> None:
        raise ModelError("the stem separator htdemucs cannot be had")

    monkeypatch.setattr("pipelines.models.conditions.load_stem_separator", refuse)
    folder = write_melody_checkpoint(tmp_path / "melody")
    hum = write_tone(tmp_path / "hum.wav", 261.6)
    with pytest.raises(ut.UndertoneError, match="htdemucs cannot be had"):
        ut.extract(store, "tones", model=folder, sites=["resid"], layers=[1], melody=hum, device="cpu")
    assert store.sql("SELECT sum(committed) AS n FROM runs")["n"] == [0]


SWEEP = """
seconds = 0.3
random_states = [0]
melody = "{melody}"

[[concepts]]
name = "label"
pairs = ["low:high"]
texts = ["{{class}}"]

[grid]
layers = [1]
alphas = ["auto"]
"""


@pytest.mark.slow
@pytest.mark.usefixtures("stems_that_are_voice")
def test_all_sounds_of_a_sweep_follow_its_melody(
    store: ut.Store, write_melody_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    folder = write_melody_checkpoint(tmp_path / "melody")
    ut.extract(store, "tones", model=folder, sites=["resid"], layers=[1], device="cpu")
    hum = write_tone(tmp_path / "hum.wav", 370.0)
    file = tmp_path / "followed.toml"
    file.write_text(SWEEP.format(melody=hum))
    ut.sweep(store, file, model=folder, scorers="similarity", device="cpu", engine="inline")
    made = [json.loads(said) for said in store.sql("FROM generations")["specification"]]
    assert len(made) >= 4
    assert {one["melody_sha256"] for one in made} == {sha256(hum.read_bytes()).hexdigest()}

    model = load_named_model(str(folder))
    requests = [GenerationRequest(0.3, "low", melody=melody) for melody in (read_tone(hum), None)]
    followed, plain = (generate(model, [one])[0].codes for one in requests)
    assert not np.array_equal(followed, plain)


HEARD = ("hums/low.wav", "hums/high.wav", "hums/low.wav", "", "hums/gone.wav")


@pytest.fixture
def hummed(tmp_path: Path) -> tuple[ut.Store, Path]:
    """Clips that all sound alike, so that only melodies can tell them apart, and where they are."""
    root = tmp_path / "songs"
    for number in range(len(HEARD)):
        write_tone(root / f"{number}.wav", 220.0)
    write_tone(root / "hums" / "low.wav", 294.0, seconds=0.5)  # silence has the chroma of a C
    write_tone(root / "hums" / "high.wav", 370.0, seconds=0.7)
    rows = (f"{number}.wav,{uri}\n" for number, uri in enumerate(HEARD))
    (root / "metadata.csv").write_text("path,hum\n" + "".join(rows))
    store = ut.open_store(tmp_path / "hummed.store", create=True)
    ut.add_dataset(store, "songs", root, clip_seconds=1.0)
    return store, root


@pytest.mark.usefixtures("stems_that_are_voice")
def test_each_clip_follows_the_melody_of_its_row_and_a_missing_one_fails_its_clip_alone(
    hummed: tuple[ut.Store, Path], write_melody_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    store, root = hummed
    folder = write_melody_checkpoint(tmp_path / "melody")
    options: Any = {"model": folder, "sites": ["resid"], "layers": [1], "text": "rock", "device": "cpu"}
    with pytest.warns(ut.UndertoneWarning) as told:
        run = ut.extract(store, "songs", melody_column="hum", **options)
    assert str(told[0].message) == "1 of 5 clips: no melody in hum."
    assert "1 of 5 clips failed" in str(told[1].message)
    assert run.document["melody_column"] == "hum"
    assert run.id != ut.extract(store, "songs", **options).id

    planned = {clip.uri: clip for unit in store.opened.run(run.id).plan().units() for clip in unit.clips}
    assert [planned[f"{number}.wav"].melody for number in range(5)] == list(HEARD)
    assert not store.opened.codes(run.document["codes"]).plan().unit(0).clips[0].melody
    found, ids = run.layer("resid.mean", 1)
    of_clip = {planned_clip.clip_id: planned_clip.uri for planned_clip in planned.values()}
    rows = {of_clip[clip_id]: row for row, clip_id in zip(found, ids, strict=True)}
    assert set(rows) == {"0.wav", "1.wav", "2.wav", "3.wav"}
    model = load_named_model(str(folder))
    codes = model.encode(torch.from_numpy(read_tone(root / "0.wav"))[None, None])
    for uri, row in rows.items():
        melody = planned[uri].melody
        conditions = (
            model.conditions.encode_melody("rock", read_tone(root / melody))
            if melody
            else model.conditions.encode("rock")
        )
        with capture(model, CaptureSpec(("resid",), (1,))) as seen:
            model.forward(codes, conditions)
        np.testing.assert_allclose(row, seen.arrays()["resid.mean"][0, 0], rtol=1e-3, atol=1e-4)
    assert np.abs(rows["0.wav"] - rows["1.wav"]).max() > 1e-3
    assert np.abs(rows["0.wav"] - rows["3.wav"]).max() > 1e-3
    (failure,) = store.sql("FROM failures").rows()
    assert "its melody cannot be read" in failure["message"]
    assert "hums/gone.wav" in failure["message"]
    assert not ut.verify(store).damage

    write_tone(root / "hums" / "gone.wav", 330.0)
    with pytest.warns(ut.UndertoneWarning, match="no melody in hum"):
        again = ut.extract(store, "songs", melody_column="hum", retry_failed=True, **options)
    assert again.id == run.id
    assert len(again.layer("resid.mean", 1)[1]) == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"melody_column": "hum"}, "'hum' is no label of dataset 'tones'; its labels are label"),
        ({"melody_column": "label", "melody": "hum.wav"}, "give one of the two"),
        ({"melody_column": "label", "model": "pocket-random"}, "'pocket-random' takes no melody"),
    ],
)
def test_a_melody_column_that_cannot_be_followed_is_refused(
    store: ut.Store, write_melody_checkpoint: WriteCheckpoint, tmp_path: Path, given: Any, said: str
) -> None:
    hum = write_tone(tmp_path / "hum.wav", 370.0)
    options = {"model": write_melody_checkpoint(tmp_path / "melody"), "device": "cpu"} | given
    options |= {"melody": hum} if "melody" in given else {}
    with pytest.raises(ut.InvalidInput, match=said):
        ut.extract(store, "tones", **options)


def test_sounds_of_a_sweep_that_continue_clips_follow_the_melodies_of_their_rows(
    hummed: tuple[ut.Store, Path], write_melody_checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    store, root = hummed
    info = describe_model(str(write_melody_checkpoint(tmp_path / "melody")))
    ids = {row["uri"]: f"clip:{row['clip_id']}" for row in store.sql("FROM clips").rows()}
    known: Any = {"seconds": 0.5, "info": info, "roots": (), "melody_column": "hum"}
    found = read_audio_prompts(store.opened, [ids["0.wav"], ids["3.wav"]], **known)
    followed, plain = (found[ids[uri]].melody for uri in ("0.wav", "3.wav"))
    assert plain is None
    assert followed is not None
    assert followed.sha256 == sha256((root / HEARD[0]).read_bytes()).hexdigest()
    np.testing.assert_allclose(followed.samples, read_tone(root / HEARD[0]), atol=1e-6)
    with pytest.raises(ut.NotFound, match="gone"):
        read_audio_prompts(store.opened, [ids["4.wav"]], **known)
