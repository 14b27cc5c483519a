"""A checkpoint of musicgen-small's shape with random weights, in audiocraft's own format.

Speed does not depend on what the weights are; the real one cannot be downloaded everywhere.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.models.audiocraft_import import import_audiocraft
from pipelines.pocket.configuration import TEXT_ENCODER, codec_configuration, language_model_configuration

SMALL_TRANSFORMER = {"dim": 1024, "num_heads": 16, "num_layers": 24, "card": 2048}
SMALL_SEANET = {
    "dimension": 128,
    "n_filters": 64,
    "ratios": [8, 5, 4, 4],
    "activation": "ELU",
    "norm": "weight_norm",
    "lstm": 2,
    "pad_mode": "reflect",
    "decoder": {"n_filters": 64},
}
SMALL_RATE = 32_000


def musicgen_small(folder: Path, transformer: Mapping[str, int] = SMALL_TRANSFORMER) -> Path:
    """Write a checkpoint of musicgen-small's shape (24 × 1024, EnCodec at 32 kHz and 50 frames/s) once.

    Args:
        folder: Where.
        transformer: Another shape of the decoder.
    """
    if (folder / "state_dict.bin").is_file():
        return folder
    import_audiocraft()
    folder.mkdir(parents=True, exist_ok=True)
    _write_codec(folder / "compression_state_dict.bin", transformer["card"])
    _write_language_model(folder, transformer)
    return folder


def _write_codec(path: Path, card: int) -> None:
    from audiocraft.models.builders import get_compression_model
    from omegaconf import OmegaConf

    configuration = _merged(
        codec_configuration(),
        {
            "sample_rate": SMALL_RATE,
            "encodec": {"sample_rate": SMALL_RATE},
            "seanet": SMALL_SEANET,
            "rvq": {"bins": card},
        },
    )
    configuration["seanet"]["activation_params"] = {"alpha": 1.0}  # instead of the pocket's, not beside them
    _save(path, get_compression_model(OmegaConf.create({**configuration, "device": "cpu"})), configuration)


def _write_language_model(folder: Path, transformer: Mapping[str, int]) -> None:
    from audiocraft.models.builders import get_lm_model
    from omegaconf import OmegaConf

    from pipelines.models.audiocraft_import import register_text_encoder
    from pipelines.pocket.configuration import TEXT_WIDTH
    from pipelines.pocket.text_encoder import write_text_encoder

    write_text_encoder(folder / TEXT_ENCODER)
    register_text_encoder(str(folder / TEXT_ENCODER), TEXT_WIDTH)
    configuration = _merged(
        language_model_configuration(), {"sample_rate": SMALL_RATE, "transformer_lm": transformer}
    )
    built = _merged(
        configuration, {"conditioners": {"description": {"t5": {"name": str(folder / TEXT_ENCODER)}}}}
    )
    model = get_lm_model(OmegaConf.create({**built, "device": "cpu", "dtype": "float32"}))
    _save(folder / "state_dict.bin", model, configuration)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        result[key] = _merged(result[key], value) if isinstance(value, Mapping) else value
    return result


def _save(path: Path, module: Any, configuration: Mapping[str, Any]) -> None:
    import audiocraft
    import torch
    from omegaconf import OmegaConf

    package = {
        "best_state": module.state_dict(),
        "xp.cfg": OmegaConf.to_yaml(OmegaConf.create(dict(configuration))),
        "version": audiocraft.__version__,
        "exported": True,
        "random_weights": True,
    }
    torch.save(package, path)
