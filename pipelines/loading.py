"""Builds audiocraft's modules from a checkpoint's packages, on the wanted device and in the wanted type.

`audiocraft.models.loaders` does the same, but ties the type to the device (float32 on a CPU, float16
elsewhere), knows text encoders by published name only, and downloads a stem separator for melody models.
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
PUBLISHED_CODEC_FILES = ("config.json", "*.safetensors")
TEXT_ENCODER_FILES = ("config.json", "*.safetensors", "*.model", "tokenizer*", "special_tokens_map*")


def build_codec(package: Mapping[str, Any], *, device: str) -> Any:
    """The EnCodec of a checkpoint, always float32: lower precision flips codes."""
    with quiet_construction():
        from audiocraft.models import builders

        if "pretrained" in package:  # fine-tuned models may name a published codec instead of holding one
            codec = _published_codec(package["pretrained"], device)
        else:
            configuration = configuration_of(package)
            configuration.device = device
            codec = builders.get_compression_model(configuration)
            _load(codec, package["best_state"])
    return codec.eval().requires_grad_(requires_grad=False)


def build_language_model(
    checkpoint: Checkpoint, package: Mapping[str, Any], *, device: str, dtype: str
) -> Any:
    """The decoder of a checkpoint with its conditioners, as `assemble_language_model` places them."""
    configuration = configuration_of(package)
    for settings in text_encoder_settings(configuration):
        settings.name = _registered_text_encoder(checkpoint, settings.name)
    model = assemble_language_model(configuration, device=device, dtype=dtype)
    _load(model, package["best_state"])
    return model


def assemble_language_model(configuration: Any, *, device: str, dtype: str) -> Any:
    """The modules of a configuration, not loaded yet: the blocks' matrices in `dtype`, all else float32."""
    configuration.device, configuration.dtype = device, dtype
    with quiet_construction(), _stem_separator_for(configuration):
        from audiocraft.models import builders, loaders

        for name in TRAINING_ONLY:
            loaders._delete_param(configuration, name)  # noqa: SLF001
        model = builders.get_lm_model(configuration)
    _keep_norms_in_float32(model.transformer)
    _set_melody_for_inference(model)
    model.cfg = configuration
    return model.eval().requires_grad_(requires_grad=False)


def text_encoder_settings(configuration: Any) -> Iterator[Any]:
    """The `t5` sections of a language model's configuration; `name` says which T5."""
    for settings in conditioner_settings(configuration):
        if settings.model == "t5":
            yield settings.t5


def conditioner_settings(configuration: Any) -> Iterator[Any]:
    """The sections of all conditioners; `model` says which kind each is."""
    for name, settings in (configuration.get("conditioners") or {}).items():
        if name != "args":
            yield settings


def text_encoder_folder(checkpoint: Checkpoint, name: str) -> Path:
    """Where the T5 called `name` lies: beside the checkpoint ("./…"), in a folder, or in the hub's cache.

    Raises:
        ModelError: It is nowhere.
    """
    folder = checkpoint.folder / name if name.startswith("./") else Path(name)
    if (folder / "config.json").is_file():
        return folder
    if name.startswith(("./", "/")):
        raise ModelError(f"{checkpoint.name!r} lacks its text encoder: there is no {folder}/config.json.")
    return hub_folder(name, TEXT_ENCODER_FILES)


def _registered_text_encoder(checkpoint: Checkpoint, name: str) -> str:
    folder = text_encoder_folder(checkpoint, name)
    settings = json.loads((folder / "config.json").read_text())
    register_text_encoder(str(folder), int(settings["d_model"]))
    return str(folder)


def _published_codec(name: str, device: str) -> Any:
    """A codec that lies in a Hugging Face repository of its own, in the format of transformers."""
    from audiocraft.models import HFEncodecCompressionModel, HFEncodecModel

    folder = hub_folder(name, PUBLISHED_CODEC_FILES)
    return HFEncodecCompressionModel(HFEncodecModel.from_pretrained(folder)).to(device)


def _keep_norms_in_float32(transformer: torch.nn.Module) -> None:
    """The residual stream they read is float32, and autocast does not convert norms on CPUs."""
    for part in transformer.modules():
        if isinstance(part, torch.nn.LayerNorm):
            part.float()


def _set_melody_for_inference(model: Any) -> None:
    """What `MusicGen.get_pretrained` sets for melody models."""
    for conditioner in model.condition_provider.conditioners.values():
        if hasattr(conditioner, "match_len_on_eval"):
            conditioner.match_len_on_eval = True
            conditioner._use_masking = False  # noqa: SLF001


def _stem_separator_for(configuration: Any) -> AbstractContextManager[None]:
    has_chroma = any(settings.model == "chroma_stem" for settings in conditioner_settings(configuration))
    return without_stem_separator() if has_chroma else nullcontext()


def _load(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"The checkpoint's tensors do not fit its own configuration: "
            f"{str(error).splitlines()[-1].strip()}"
        ) from error
