"""Write the pocket model with random weights: once per user, in audiocraft's own checkpoint format."""

from pathlib import Path
from typing import Any

import torch

from pipelines.models.audiocraft_import import quiet_construction, register_text_encoder
from pipelines.models.protocol import ModelSource
from pipelines.pocket.configuration import (
    SAMPLE_RATE,
    TEXT_ENCODER,
    TEXT_WIDTH,
    codec_configuration,
    language_model_configuration,
)
from pipelines.pocket.text_encoder import write_text_encoder
from pipelines.pocket.weights import fill_codec, fill_transformer
from pipelines.user_cache import build_once, cache_folder

RECIPE = 4
"""Counts changes of the recipe: another number, another folder and other fingerprints."""


def random_pocket_folder() -> Path:
    """The folder of the checkpoint, built on the first call (a few seconds)."""
    return build_once(cache_folder() / f"pocket-random-{RECIPE}", write_random_pocket)


def write_random_pocket(folder: Path) -> None:
    """Fill an empty `folder` with `state_dict.bin`, `compression_state_dict.bin` and `t5/`."""
    with quiet_construction():
        write_text_encoder(folder / TEXT_ENCODER)
        codec, language_model = _build_codec(), _build_language_model(folder)
    _save(folder / "compression_state_dict.bin", codec, codec_configuration())
    _save(folder / "state_dict.bin", language_model, language_model_configuration())


def _build_codec() -> Any:
    from audiocraft.models.builders import get_compression_model
    from omegaconf import OmegaConf

    codec = get_compression_model(OmegaConf.create({**codec_configuration(), "device": "cpu"})).eval()
    fill_codec(codec, sample_rate=SAMPLE_RATE)
    return codec


def _build_language_model(folder: Path) -> Any:
    from audiocraft.models.builders import get_lm_model
    from omegaconf import OmegaConf

    configuration = language_model_configuration()
    text_encoder = str(folder / TEXT_ENCODER)
    register_text_encoder(text_encoder, TEXT_WIDTH)
    configuration["conditioners"]["description"]["t5"]["name"] = text_encoder
    language_model = get_lm_model(OmegaConf.create({**configuration, "device": "cpu", "dtype": "float32"}))
    fill_transformer(language_model, "lm.", embedding_deviation=0.5)
    return language_model


def _save(path: Path, module: torch.nn.Module, configuration: dict[str, Any]) -> None:
    """What `audiocraft.utils.export` writes, and a note that the weights are random."""
    import audiocraft
    from omegaconf import OmegaConf

    package = {
        "best_state": module.state_dict(),
        "xp.cfg": OmegaConf.to_yaml(OmegaConf.create(configuration)),
        "version": audiocraft.__version__,
        "exported": True,
        "random_weights": True,
    }
    torch.save(package, path)


MODEL = ModelSource(random_pocket_folder)
