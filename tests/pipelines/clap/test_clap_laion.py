"""Checkpoints of laion-clap give what the package gives, without network, and nothing in them is executed."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pipelines.scorers.clap import load_clap
from store.errors import ModelError

pytestmark = pytest.mark.slow  # the package takes ten seconds to import


def _package_model(path: Path) -> tuple[Any, Any]:
    """The package's own model, filled by its own means, and its tokens for two texts."""
    from pipelines.scorers.clap_laion import _build, _settings, _tokenizer, read_state

    state = read_state(path)
    model = _build(_settings(path, state), state)
    model.load_state_dict(state, strict=False)
    tokenizer = _tokenizer(path, 57)
    options = {"padding": "max_length", "truncation": True, "max_length": 77, "return_tensors": "pt"}
    return model.eval(), tokenizer(["rock", "a jazz band"], **options)


def test_embeddings_are_those_of_the_package(
    laion_folder: Path, noise: Callable[[int, int], NDArray[np.float32]]
) -> None:
    audio = noise(2, 480_000)
    clap = load_clap(str(laion_folder / "tiny.pt"))
    model, tokens = _package_model(laion_folder / "tiny.pt")
    quantized = (torch.from_numpy(audio) * 32767).to(torch.int16).float() / 32767
    with torch.inference_mode():
        clips = [{"waveform": each, "longer": torch.tensor([False])} for each in quantized]
        expected_audio, expected_text = model.get_audio_embedding(clips), model.get_text_embedding(tokens)
    assert (clap.info.sample_rate, clap.info.window_samples, clap.info.width) == (48_000, 480_000, 512)
    assert clap.info.scale == pytest.approx(1 / 0.07, rel=1e-5)
    np.testing.assert_allclose(clap.embed_audio(audio), expected_audio.numpy(), atol=1e-5)
    np.testing.assert_allclose(clap.embed_text(["rock", "a jazz band"]), expected_text.numpy(), atol=1e-5)


def test_a_checkpoint_that_fuses_views_hears_short_audio_as_one_view(
    laion_folder: Path, noise: Callable[[int, int], NDArray[np.float32]]
) -> None:
    import torchaudio

    audio = noise(1, 480_000)
    clap = load_clap(str(laion_folder / "fused.pt"))
    model, _ = _package_model(laion_folder / "fused.pt")
    quantized = (torch.from_numpy(audio) * 32767).to(torch.int16).float() / 32767
    mel = torchaudio.transforms.MelSpectrogram(
        48_000, n_fft=1024, hop_length=480, n_mels=64, f_min=50, f_max=14_000
    )
    spectrum = torchaudio.transforms.AmplitudeToDB()(mel(quantized)).transpose(1, 2)
    with torch.inference_mode():
        views = {"mel_fusion": spectrum.repeat(4, 1, 1), "longer": torch.tensor([False])}
        expected = model.get_audio_embedding([views])
    np.testing.assert_allclose(clap.embed_audio(audio), expected.numpy(), atol=1e-4)


def test_nothing_of_the_packages_import_tricks_stays(laion_folder: Path) -> None:
    before = list(sys.path)
    load_clap(str(laion_folder / "tiny.pt"))
    assert sys.path == before
    assert "laion_clap" not in sys.modules  # its import fetches three tokenizers
    from pipelines.scorers.clap_laion import _model_module

    with _model_module() as module:
        assert module.RobertaModel.__module__.startswith("transformers.")


class _Trap:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._path,))


def test_a_checkpoint_that_would_execute_something_is_refused(laion_folder: Path, tmp_path: Path) -> None:
    state = torch.load(laion_folder / "tiny.pt", weights_only=False)
    torch.save({**state, "extra": _Trap(tmp_path / "sprung")}, tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="would have to be executed"):
        load_clap(str(tmp_path / "evil.pt"))
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(_Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()  # the trap does work


def test_half_a_checkpoint_and_one_of_another_kind_are_refused(laion_folder: Path, tmp_path: Path) -> None:
    content = (laion_folder / "tiny.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(content[: len(content) // 2])
    torch.save({"state_dict": {"encoder.weight": torch.zeros(3)}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="damaged"):
        load_clap(str(tmp_path / "half.pt"))
    with pytest.raises(ModelError, match=r"lacks audio_branch\.patch_embed"):
        load_clap(str(tmp_path / "other.pt"))


def test_a_checkpoint_that_lacks_weights_is_refused(laion_folder: Path, tmp_path: Path) -> None:
    state = torch.load(laion_folder / "tiny.pt", weights_only=False)["state_dict"]
    del state["module.text_projection.2.bias"]
    torch.save(state, tmp_path / "tiny.pt")
    (tmp_path / "roberta-base").symlink_to(laion_folder / "roberta-base")
    with pytest.raises(
        ModelError, match=r"lacks 1 weights of HTSAT-tiny, for example text_projection\.2\.bias"
    ):
        load_clap(str(tmp_path / "tiny.pt"))


def test_without_the_vocabulary_of_roberta_the_cure_is_named(laion_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.pt").symlink_to(laion_folder / "tiny.pt")
    with pytest.raises(ModelError, match="hf download roberta-base"):
        load_clap(str(tmp_path / "tiny.pt"))
    (tmp_path / "roberta-base").mkdir()
    (tmp_path / "roberta-base" / "vocab.json").write_text(json.dumps({"<s>": 0, "<pad>": 1}))
    (tmp_path / "roberta-base" / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(ModelError, match=r"trained with 57: put vocab\.json and merges\.txt"):
        load_clap(str(tmp_path / "tiny.pt"))
