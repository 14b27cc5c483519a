"""The adapter gives what transformers gives, for any batch and length, and refuses what is damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from pipelines.scorers.clap import load_clap, zero_shot
from pipelines.scorers.clap_transformers import quiet_transformers
from store.errors import InvalidInput, ModelError, NotFound

Noise = Callable[[int, int], NDArray[np.float32]]
SECOND = 8_000


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder that the test may damage."""
    return Path(shutil.copytree(folder, tmp_path / "clap"))


def _reference(folder: Path) -> tuple[Any, Any, Any]:
    """Model, tokenizer and feature extractor as transformers loads them."""
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    with quiet_transformers():
        model = ClapModel.from_pretrained(folder).eval()
        return model, AutoTokenizer.from_pretrained(folder), ClapFeatureExtractor.from_pretrained(folder)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("samples", [SECOND, SECOND // 3, SECOND * 5 // 8])
def test_audio_embeddings_are_those_of_transformers(
    make_folder: Callable[..., Path], noise: Noise, samples: int, *, fused: bool
) -> None:
    folder, audio = make_folder(fused=fused), noise(3, samples)
    model, _, extractor = _reference(folder)
    inputs = extractor(list(audio), sampling_rate=SECOND, return_tensors="pt")
    with torch.inference_mode():
        # The extractor marks one clip of a fused batch as longer at random; none of them is.
        longer = torch.zeros(3, 1, dtype=torch.bool)
        expected = model.get_audio_features(inputs["input_features"], is_longer=longer).pooler_output
    found = load_clap(str(folder)).embed_audio(audio)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)


def test_text_embeddings_are_those_of_transformers_for_texts_of_any_length(folder: Path) -> None:
    texts = ["jazz", "a sound of rock", "jazz " * 40]
    model, tokenizer, _ = _reference(folder)
    with torch.inference_mode():
        alone = [tokenizer(text, truncation=True, max_length=18, return_tensors="pt") for text in texts]
        expected = [model.get_text_features(**tokens).pooler_output[0].numpy() for tokens in alone]
    np.testing.assert_allclose(load_clap(str(folder)).embed_text(texts), expected, atol=1e-5)


def test_audio_longer_than_a_window_is_the_mean_of_windows_that_cover_it(folder: Path, noise: Noise) -> None:
    clap, audio = load_clap(str(folder)), noise(2, SECOND * 5 // 2)
    assert clap.info.window_samples == SECOND
    starts = (0, SECOND * 3 // 4, SECOND * 3 // 2)
    mean = np.mean([clap.embed_audio(audio[:, start : start + SECOND]) for start in starts], axis=0)
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(clap.embed_audio(audio), expected, atol=1e-6)


def test_embeddings_have_length_one_and_do_not_depend_on_their_batch(folder: Path, noise: Noise) -> None:
    clap, audio = load_clap(str(folder)), noise(40, SECOND)
    embeddings = clap.embed_audio(audio)
    assert embeddings.shape == (40, clap.info.width)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(clap.embed_audio(audio[17:18]), embeddings[17:18], atol=1e-6)


def test_nothing_in_gives_nothing_out(folder: Path) -> None:
    clap = load_clap(str(folder))
    assert clap.embed_audio(np.empty((0, SECOND), np.float32)).shape == (0, clap.info.width)
    assert clap.embed_text([]).shape == (0, clap.info.width)


@pytest.mark.parametrize("shape", [(SECOND,), (2, 0), (1, 2, SECOND)])
def test_audio_of_another_shape_is_refused(folder: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="clips, samples"):
        load_clap(str(folder)).embed_audio(np.zeros(shape, np.float32))


def test_probabilities_are_a_softmax_over_scaled_cosines() -> None:
    generator = np.random.default_rng(0)
    audio, texts = (generator.standard_normal((count, 6)).astype(np.float32) for count in (5, 3))
    audio, texts = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (audio, texts))
    expected = softmax(80.0 * audio.astype(float) @ texts.astype(float).T, axis=1)
    np.testing.assert_allclose(zero_shot(audio, texts, 80.0), expected, rtol=1e-9)


def test_the_fingerprint_is_of_the_content_alone(
    folder: Path, copy: Path, make_folder: Callable[..., Path]
) -> None:
    original = load_clap(str(folder)).info.fingerprint
    assert load_clap(str(copy)).info.fingerprint == original
    assert load_clap(str(make_folder(seed=1))).info.fingerprint != original
    settings = json.loads((copy / "preprocessor_config.json").read_text())
    (copy / "preprocessor_config.json").write_text(json.dumps({**settings, "hop_length": 130}))
    assert load_clap(str(copy)).info.fingerprint != original


def test_a_name_that_is_nothing_is_refused_with_the_choices() -> None:
    with pytest.raises(NotFound, match=r"pocket.*laion/clap-htsat-unfused.*\.pt"):
        load_clap("no-such-clap")


def test_a_hub_name_that_is_not_in_the_cache_says_how_to_get_it() -> None:
    with pytest.raises(ModelError, match="hf download laion/clap-htsat-unfused"):
        load_clap("laion/clap-htsat-unfused")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", _cut, "damaged"),
        ("model.safetensors", Path.unlink, "cannot be loaded"),
        ("config.json", _cut, "not a JSON object"),
        ("config.json", Path.unlink, "config.json"),
        ("preprocessor_config.json", Path.unlink, "preprocessor_config.json"),
        ("tokenizer.json", _cut, "damaged"),
    ],
)
def test_a_damaged_or_incomplete_folder_is_refused(
    copy: Path, name: str, damage: Callable[[Path], None], message: str
) -> None:
    damage(copy / name)
    with pytest.raises(ModelError, match=message):
        load_clap(str(copy))


def test_weights_that_lack_a_tensor_are_refused_although_transformers_would_invent_it(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(copy / "model.safetensors")
    del state["audio_projection.linear1.weight"]
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 weights, for example audio_projection\.linear1\.weight"):
        load_clap(str(copy))


def test_a_model_of_another_kind_is_refused(copy: Path) -> None:
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "model_type": "clip"}))
    with pytest.raises(ModelError, match="'clip'"):
        load_clap(str(copy))


def test_loading_leaves_torchs_random_state_alone(folder: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    load_clap(str(folder))
    assert torch.equal(torch.get_rng_state(), before)
