"""Builds audiocraft's modules from a checkpoint's packages, in the wanted number type and on the wanted device.

`audiocraft.models.loaders` does the same but ties the type to the device (float32 on CPU, float16 elsewhere), finds
text encoders by published name only, and downloads a stem separator for melody models.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from pipelines.audiocraft_import import quiet_construction, register_text_encoder, without_stem_separator
from pipelines.checkpoints import Checkpoint, configuration_of, hub_folder
from store.errors import ModelError

TRAINING_ONLY = (
    "conditioners.self_wav.chroma_stem.cache_path",
    "conditioners.args.merge_text_conditions_p",
    "conditioners.args.drop_desc_p",
)
TEXT_ENCODER_FILES = ("config.json", "*.safetensors", "spiece.model", "tokenizer*", "special_tokens_map.json")


def build_codec(package: Mapping[str, Any], *, device: str) -> Any:
    """The EnCodec of a checkpoint, always float32: lower precision flips codes."""
    with quiet_construction():
        from audiocraft.models import CompressionModel, builders

        if "pretrained" in package:  # fine-tuned models may name a published codec instead of holding one
            codec = CompressionModel.get_pretrained(package["pretrained"], device=device)
        else:
            configuration = configuration_of(package)
            configuration.device = device
            codec = builders.get_compression_model(configuration)
            _load(codec, package["best_state"])
    return codec.eval().requires_grad_(False)


def build_language_model(
    checkpoint: Checkpoint, package: Mapping[str, Any], *, device: str, dtype: str
) -> Any:
    """The decoder with its conditioners; the blocks' weights in `dtype`, embeddings and conditioners float32."""
    configuration = configuration_of(package)
    configuration.device, configuration.dtype = device, dtype
    with quiet_construction(), _stem_separator_for(configuration):
        from audiocraft.models import builders, loaders

        for name in TRAINING_ONLY:
            loaders._delete_param(configuration, name)
        for settings in text_encoder_settings(configuration):
            settings.name = _registered_text_encoder(checkpoint, settings.name)
        model = builders.get_lm_model(configuration)
        _load(model, package["best_state"])
        for conditioner in model.condition_provider.conditioners.values():
            if hasattr(conditioner, "match_len_on_eval"):  # as MusicGen.get_pretrained does for melody models
                conditioner.match_len_on_eval, conditioner._use_masking = True, False
    model.cfg = configuration
    return model.eval().requires_grad_(False)


def text_encoder_settings(configuration: Any) -> Iterator[Any]:
    """The `t5` sections of a language model's configuration; `name` says which T5."""
    for name, conditioner in (configuration.get("conditioners") or {}).items():
        if name != "args" and conditioner.get("model") == "t5":
            yield conditioner.t5


def text_encoder_folder(checkpoint: Checkpoint, name: str) -> Path:
    """Where the T5 called `name` lies: beside the checkpoint ("./…"), in a folder, or in the hub's cache.

    Raises:
        ModelError: It is nowhere.
    """
    folder = checkpoint.folder / name if name.startswith("./") else Path(name)
    if (folder / "config.json").is_file():
        return folder
    if name.startswith(("./", "/")):
        raise ModelError(
            f"The text encoder {name!r} of {checkpoint.name!r} is missing: no {folder}/config.json."
        )
    return hub_folder(name, TEXT_ENCODER_FILES)


def _registered_text_encoder(checkpoint: Checkpoint, name: str) -> str:
    folder = text_encoder_folder(checkpoint, name)
    settings = json.loads((folder / "config.json").read_text())
    register_text_encoder(str(folder), int(settings["d_model"]))
    return str(folder)


def _stem_separator_for(configuration: Any) -> AbstractContextManager[None]:
    conditioners = (configuration.get("conditioners") or {}).values()
    has_chroma = any("chroma_stem" in conditioner for conditioner in conditioners)
    return without_stem_separator() if has_chroma else nullcontext()


def _load(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"The checkpoint's tensors do not fit its own configuration: {str(error).splitlines()[-1].strip()}"
        ) from error
