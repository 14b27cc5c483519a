"""Tiny real MusicGens: the built-in pocket model, and checkpoints written in audiocraft's format."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf

from pipelines.generation import decoding
from pipelines.generation.generate import GeneratedAudio, GenerationRequest, generate
from pipelines.generation.sampling import choose_tokens
from pipelines.models.audiocraft_import import (
    quiet_construction,
    register_text_encoder,
    without_stem_separator,
)
from pipelines.models.musicgen import MusicGenModel, load_musicgen
from pipelines.pocket import random_pocket_folder
from pipelines.pocket.configuration import TEXT_WIDTH, codec_configuration, language_model_configuration

Codes = NDArray[np.int16]
WriteCheckpoint = Callable[..., Path]
AgreesWith = Callable[..., GeneratedAudio]

TIE = 5e-4
"""Scores this close are a tie that rounding may decide. Products of 512 terms at most, 6 in each of 8 blocks,
leave a relative error of about 2⁻²⁴ √(8 · 6 · 512) ≈ 9e-6 on logits of up to 10, which guidance multiplies by
3 + 2. Measured between SSE4.1, AVX2 and AVX-512: 3e-5."""


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Build the pocket model here and not in the user's cache."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """These passes are too small to gain from threads, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pocket_folder(_own_cache: None) -> Path:
    return random_pocket_folder()


@pytest.fixture(scope="session")
def pocket(pocket_folder: Path) -> MusicGenModel:
    return load_musicgen("pocket-random")


@pytest.fixture
def agrees_with(monkeypatch: pytest.MonkeyPatch) -> AgreesWith:
    """Call with model, request and tokens (K, T), …: generates alone; fails unless they agree but for ties.

    What else ran through the model, and how, must not matter; how a processor's matrix products round may.
    """
    made: dict[int, torch.Tensor] = {}
    chosen = choose_tokens
    filled = decoding.fill_window

    def agree(model: MusicGenModel, request: GenerationRequest, *others: NDArray[Any]) -> GeneratedAudio:
        made.clear()
        with monkeypatch.context() as patched:
            patched.setattr("pipelines.generation.generate.fill_window", watched)
            ours = generate(model, [request])[0]
        for tokens in others:
            _check_tokens(ours.codes, np.asarray(tokens), made, model.info.delays)
        return ours

    def watched(model: MusicGenModel, codes: Any, window: Any, *others: Any) -> None:
        known = window.known - window.start
        steps = iter(range(window.start + known + 1 + min(model.info.delays), 10**9))

        def keep(logits: torch.Tensor, sampling: Any, noise: torch.Tensor | None) -> torch.Tensor:
            greedy = sampling.greedy or noise is None
            made[next(steps)] = (logits if greedy else logits / sampling.temperature + noise)[0].clone()
            return chosen(logits, sampling, noise)

        with monkeypatch.context() as patched:
            patched.setattr(decoding, "choose_tokens", keep)
            filled(model, codes, window, *others)

    return agree


def _check_tokens(
    ours: NDArray[Any], theirs: NDArray[Any], scores: dict[int, torch.Tensor], delays: tuple[int, ...]
) -> None:
    """Where tokens first differ, in the order in which they are chosen, their scores must be a tie."""
    assert ours.shape == theirs.shape
    places = [(frame + delays[k] + 1, k, frame) for k, frame in np.argwhere(ours != theirs).tolist()]
    first = min((step for step, _, _ in places), default=0)
    for step, k, frame in places:
        if step == first:
            of_step = scores[step][k]
            gap = float(of_step[int(ours[k, frame])] - of_step[int(theirs[k, frame])])
            assert gap <= TIE, f"frame {frame} of codebook {k} was no tie: its scores differ by {gap:g}"


@pytest.fixture
def random_codes() -> Callable[..., Codes]:
    def draw(clips: int, frames: int, *, codebooks: int = 4, seed: int = 0) -> Codes:
        return np.random.default_rng(seed).integers(0, 256, (clips, codebooks, frames), dtype=np.int16)

    return draw


@pytest.fixture(scope="session")
def write_checkpoint(pocket_folder: Path) -> WriteCheckpoint:
    """Write a two-layer model of width 32 with the pocket's codec; `change` edits its configuration first."""

    def write(
        folder: Path,
        change: Callable[[dict[str, Any]], None] = lambda _: None,
        *,
        text_encoder: str = "./t5",
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(pocket_folder / "compression_state_dict.bin", folder)
        shutil.copytree(pocket_folder / "t5", folder / "t5")
        configuration = language_model_configuration()
        configuration["transformer_lm"].update(dim=32, num_heads=2, num_layers=2)
        change(configuration)
        package = {
            "best_state": build(configuration, folder / "t5").state_dict(),
            "xp.cfg": yaml_naming(configuration, text_encoder),
            "version": "1.3.0",
            "exported": True,
        }
        torch.save(package, folder / "state_dict.bin")
        return folder

    return write


@pytest.fixture(scope="session")
def write_melody_checkpoint(write_checkpoint: WriteCheckpoint) -> WriteCheckpoint:
    """The same with the conditioners of musicgen-melody: chroma and text, both before the audio."""

    def change(configuration: dict[str, Any]) -> None:
        chroma = {
            "sample_rate": 16_000,
            "n_chroma": 12,
            "radix2_exp": 14,
            "argmax": True,
            "match_len_on_eval": False,
            "eval_wavs": None,
            "n_eval_wavs": 100,
            "cache_path": None,
        }
        configuration["conditioners"] = {
            "self_wav": {"model": "chroma_stem", "chroma_stem": chroma},
            **configuration["conditioners"],
        }
        configuration["fuser"].update(prepend=["self_wav", "description"], cross=[])
        configuration["transformer_lm"]["cross_attention"] = False

    return lambda folder: write_checkpoint(folder, change)


@pytest.fixture(scope="session")
def write_convertible(
    write_checkpoint: WriteCheckpoint, write_melody_checkpoint: WriteCheckpoint
) -> WriteCheckpoint:
    """A checkpoint that transformers has a counterpart of: "text", "melody" or "stereo"."""

    def write(folder: Path, kind: str = "text") -> Path:
        if kind == "melody":
            write_melody_checkpoint(folder)
        elif kind == "stereo":
            write_checkpoint(folder, _stereo)
        else:
            write_checkpoint(folder)
        _write_codec(folder / "compression_state_dict.bin")
        return folder

    return write


def _stereo(configuration: dict[str, Any]) -> None:
    configuration["interleave_stereo_codebooks"] = {"use": True, "per_timestep": False}
    configuration["channels"] = 2
    configuration["transformer_lm"]["n_q"] = 8
    configuration["codebooks_pattern"]["delay"]["delays"] = [0, 0, 1, 1, 2, 2, 3, 3]


def _write_codec(path: Path) -> None:
    """An EnCodec like the published ones (ELU, LSTM, weight norm), 32 frames of 16 kHz a second."""
    from audiocraft.models.builders import get_compression_model

    configuration = codec_configuration()
    both = {"activation": "ELU", "activation_params": {"alpha": 1.0}}
    configuration["seanet"].update(
        both, dimension=16, n_filters=4, norm="weight_norm", pad_mode="reflect", lstm=2
    )
    configuration["seanet"]["decoder"] = {
        "trim_right_ratio": 1.0, "final_activation": None, "final_activation_params": None,
    }  # fmt: skip
    with quiet_construction(), torch.inference_mode():
        torch.manual_seed(1)
        built = OmegaConf.create(configuration)
        codec = get_compression_model(OmegaConf.merge(built, {"device": "cpu"})).eval()
        latents = codec.encoder(torch.randn(1, 1, 500 * 256))[0].T  # so that frames differ in their codes
        for layer in codec.quantizer.vq.layers:
            layer._codebook.embed.copy_(latents)
            latents = 0.3 * (latents - latents.mean(0))[torch.randperm(256)]
    package = {
        "best_state": codec.state_dict(),
        "xp.cfg": OmegaConf.to_yaml(OmegaConf.create(configuration)),
        "version": "1.3.0",
        "exported": True,
    }
    torch.save(package, path)


def build(configuration: dict[str, Any], text_encoder: Path) -> Any:
    """The language model of a configuration, through audiocraft's builder, weights drawn by torch."""
    register_text_encoder(str(text_encoder), TEXT_WIDTH)
    with quiet_construction(), without_stem_separator():
        from audiocraft.models.builders import get_lm_model

        torch.manual_seed(0)
        named = OmegaConf.create(yaml_naming(configuration, str(text_encoder)))
        return get_lm_model(OmegaConf.merge(named, {"device": "cpu", "dtype": "float32"}))


def yaml_naming(configuration: dict[str, Any], text_encoder: str) -> str:
    named = OmegaConf.create(configuration)
    named.conditioners.description.t5.name = text_encoder
    return OmegaConf.to_yaml(named)


class Separator(torch.nn.Module):
    """Stands in for demucs: everything is voice."""

    sources = ("drums", "bass", "other", "vocals")
    samplerate, audio_channels, segment = 16_000, 2, 10
    max_allowed_segment = 10

    def forward(self, mix: torch.Tensor) -> torch.Tensor:
        silent = torch.zeros_like(mix)
        return torch.stack([silent, silent, silent, mix], dim=1)


@pytest.fixture
def stems_that_are_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the separator of melody models would be loaded, one that takes everything for voice."""
    monkeypatch.setattr("pipelines.models.conditions.load_stem_separator", lambda _: Separator())
