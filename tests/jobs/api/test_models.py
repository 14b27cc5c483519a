"""Models in Python: what blocks around a model see and change, whichever way its passes are made."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import undertone as ut
from pipelines.capture import CaptureSpec, forward_activations
from pipelines.generation.generate import GenerationRequest
from pipelines.generation.generate import generate as generate_audio
from pipelines.steering.edits import Edit, Steering
from pipelines.steering.steer import steer as steered_by

SECONDS, LAYER = 1.0, 3


@pytest.fixture(scope="module")
def direction(model: Any) -> ut.Direction:
    vector = np.random.default_rng(1).normal(size=model.info.width)
    return ut.Direction(np.asarray(vector / np.linalg.norm(vector), np.float32), "jazz", None, "drawn").at(
        "resid", LAYER
    )


@pytest.fixture(scope="module")
def noise() -> Any:
    return 0.1 * np.random.default_rng(0).normal(size=16_000).astype(np.float32)


def test_a_block_sees_what_a_teacher_forced_pass_computes(model: Any, noise: Any) -> None:
    with ut.capture(model, sites=["resid", "attn"], layers=[1, 3], reductions=["mean", "frames"]) as seen:
        codes = ut.forward(model, noise, text="slow jazz")
    spec = CaptureSpec(("resid", "attn"), (1, 3), ("mean", "frames"))
    expected = forward_activations(model, codes[None], spec, ["slow jazz"])
    assert set(seen.names) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(seen[name], array.cpu().numpy(), atol=1e-4)
    assert np.array_equal(seen.layer("attn.mean", 3), seen["attn.mean"][:, 1])
    assert repr(seen).startswith("Seen(resid.mean (1, 2, 128)")


def test_a_block_steers_and_is_seen_as_steered(model: Any, noise: Any, direction: ut.Direction) -> None:
    with ut.steer(model, direction, alpha=0.7), ut.capture(model, layers=[LAYER]) as seen:
        codes = ut.forward(model, noise)
    spec = CaptureSpec(("resid",), (LAYER,))
    steering = Steering((Edit("resid", LAYER, direction.vector, 0.7),))
    with steered_by(model, steering, frames=codes.shape[-1]):
        expected = forward_activations(model, codes[None], spec)["resid.mean"].cpu().numpy()
    np.testing.assert_allclose(seen["resid.mean"], expected, atol=1e-4)


def test_a_generation_is_steered_as_its_request_would_be(model: Any, direction: ut.Direction) -> None:
    with (
        ut.steer(model, direction, alpha=0.7, schedule="linear-down:1"),
        ut.capture(model, layers=LAYER) as seen,
    ):
        sound = ut.generate(model, "rock", seconds=SECONDS, seed=3)
    edit = direction.edit(0.7, schedule="linear-down:1")
    request = GenerationRequest(SECONDS, "rock", 3, steering=Steering((edit,)))
    (expected,) = generate_audio(model, [request], capture=CaptureSpec(("resid",), (LAYER,)))
    assert sound.codes is not None
    assert np.array_equal(sound.codes, expected.codes)
    np.testing.assert_allclose(seen["resid.mean"][0], expected.activations["resid.mean"], atol=1e-4)


def test_after_a_block_nothing_is_left(model: Any, direction: ut.Direction) -> None:
    plain = ut.generate(model, "rock", seconds=SECONDS, seed=0)
    steered = _steered_and_failed(model, direction)
    assert not np.array_equal(steered.samples, plain.samples)
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in model.blocks)
    again = ut.generate(model, "rock", seconds=SECONDS, seed=0)
    assert again.codes is not None
    assert plain.codes is not None
    assert np.array_equal(again.codes, plain.codes)


def _steered_and_failed(model: Any, direction: ut.Direction) -> ut.Sound:
    """A sound of a block that an error ended."""
    made = []
    with suppress(RuntimeError), ut.steer(model, direction, alpha=0.9), ut.capture(model):
        made.append(ut.generate(model, "rock", seconds=SECONDS, seed=0))
        raise RuntimeError
    return made[0]


def test_what_passed_last_is_seen(model: Any, noise: Any) -> None:
    with ut.capture(model, layers=[LAYER]) as seen:
        with pytest.raises(ut.InvalidInput, match="Nothing is recorded yet"):
            seen["resid.mean"]
        sounds = ut.generate(model, ["rock", "jazz"], seconds=SECONDS, seed=[0, 1])
        generated = seen["resid.mean"]
        assert generated.shape == (2, 1, 128)
        ut.forward(model, sounds[1])
        assert seen["resid.mean"].shape == (1, 1, 128)
    with pytest.raises(ut.InvalidInput, match=r"'resid\.std' is not captured; captured are resid\.mean"):
        seen["resid.std"]
    with pytest.raises(ut.InvalidInput, match=r"Layer 1 is not captured; captured are \[3\]"):
        seen.layer("resid.mean", 1)


def test_several_sounds_have_a_text_and_a_seed_each(model: Any) -> None:
    sounds = ut.generate(model, ["rock", "rock"], seconds=SECONDS, seed=[0, 1])
    assert [(one.text, one.seed) for one in sounds] == [("rock", 0), ("rock", 1)]
    assert not np.array_equal(sounds[0].samples, sounds[1].samples)
    with pytest.raises(ut.InvalidInput, match="3 values of seed for 2"):
        ut.generate(model, ["rock", "jazz"], seed=[0, 1, 2])


def test_a_sound_is_continued_saved_and_played(model: Any, noise: Any, tmp_path: Path) -> None:
    sound = ut.generate(model, seconds=1.5, audio_prompt=noise)
    assert sound.seconds == pytest.approx(1.5, abs=0.1)
    for name in ("a.wav", "a.flac"):
        samples, rate = soundfile.read(sound.save(tmp_path / name), dtype="float32")
        assert rate == sound.sample_rate
        np.testing.assert_allclose(samples, np.clip(sound.samples, -1, 1), atol=2e-4)
    assert 'src="data:audio/wav;base64,' in sound._repr_html_()
    with pytest.raises(ut.InvalidInput, match=r"'a\.mp3' does not end in \.wav"):
        sound.save(tmp_path / "a.mp3")
    assert ut.forward(model, str(tmp_path / "a.wav")).shape[0] == model.info.codebooks


def test_progress_of_a_generation_is_told_to_a_function(model: Any) -> None:
    said: list[ut.Progress] = []
    ut.generate(model, "rock", seconds=SECONDS, progress=said.append)
    assert said[-1].done == said[-1].total == len(said)
    assert said[-1].line.startswith("generate  ")


def test_what_cannot_be_is_told(model: Any, noise: Any, direction: ut.Direction) -> None:
    with (
        pytest.raises(ut.InvalidInput, match=r"Layer 8 is not in 'pocket-random'"),
        ut.capture(model, layers=[8]),
    ):
        pass
    with ut.steer(model, direction), pytest.raises(ut.InvalidInput, match="steered already"):  # noqa: SIM117
        with ut.steer(model, direction):
            pass
    placeless = ut.Direction(direction.vector, "jazz", None, "drawn")
    with pytest.raises(ut.InvalidInput, match=r'direction\.at\("resid", 5\)'), ut.steer(model, placeless):
        pass
    with pytest.raises(ut.InvalidInput, match="negative"), ut.steer(model, direction, alpha=-0.5):
        pass
    with pytest.raises(ut.InvalidInput, match="lasts 40 s"):
        ut.forward(model, np.zeros(40 * 16_000, np.float32))
    with pytest.raises(ut.InvalidInput, match=r"shape \(2, 3\)"):
        ut.forward(model, np.zeros((2, 3), np.float32))
    with pytest.raises(ut.NotFound, match="There is no model 'pockt'"):
        ut.load_model("pockt")
