"""Build audiocraft's modules from a checkpoint's packages, on the wanted device and in the wanted type.

`audiocraft.models.loaders` does the same, but ties the type to the device (float32 on a CPU, float16
elsewhere), knows text encoders by published name only, and downloads a stem separator for melody models.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from pipelines.models.audiocraft_import import (
    any_tokenizer,
    quiet_construction,
    register_text_encoder,
    without_stem_separator,
)
from pipelines.models.checkpoint_schema import CODEC, LANGUAGE_MODEL
from pipelines.models.checkpoints import (
    Checkpoint,
    configuration_of,
    part_folder,
    text_encoder_name,
)
from pipelines.models.hub import hub_folder
from pipelines.models.text_encoder_files import text_encoder_width
from store.errors import ModelError

TRAINING_ONLY = (
    "conditioners.self_wav.chroma_stem.cache_path",
    "conditioners.args.merge_text_conditions_p",
    "conditioners.args.drop_desc_p",
)
WORD_SPLITTER = "en_core_web_sm"
PUBLISHED_CODEC_FILES = ("config.json", "*.safetensors")
TEXT_ENCODER_FILES = ("config.json", "*.safetensors", "*.model", "tokenizer*", "special_tokens_map*")


def build_codec(package: Mapping[str, Any], *, device: str) -> Any:
    """The EnCodec of a checkpoint, always float32: lower precision flips codes."""
    with quiet_construction():
        from audiocraft.models import builders

        if "pretrained" in package:  # fine-tuned models may name a published codec instead of holding one
            codec = _published_codec(package["pretrained"], device)
        else:
            configuration = configuration_of(package, CODEC, "the codec")
            configuration.device = device
            with _explained("codec"):
                codec = builders.get_compression_model(configuration)
            _load(codec, package["best_state"])
    return codec.eval().requires_grad_(requires_grad=False)


def build_language_model(
    checkpoint: Checkpoint, package: Mapping[str, Any], *, device: str, dtype: str
) -> Any:
    """The decoder of a checkpoint with its conditioners, as `assemble_language_model` places them."""
    configuration = configuration_of(package, LANGUAGE_MODEL, f"the language model of {checkpoint.name!r}")
    for settings in text_encoder_settings(configuration):
        settings.name = _registered_text_encoder(checkpoint, settings.name)
    model = assemble_language_model(configuration, device=device, dtype=dtype)
    _load(model, package["best_state"])
    return model


def assemble_language_model(configuration: Any, *, device: str, dtype: str) -> Any:
    """The modules of a configuration, not loaded yet: the blocks' matrices in `dtype`, all else float32."""
    _require_word_splitter(configuration)
    configuration.device, configuration.dtype = device, dtype
    with quiet_construction(), any_tokenizer(), _stem_separator_for(configuration):
        from audiocraft.models import builders, loaders

        for settings in conditioner_settings(configuration):
            if settings.model == "chroma_stem":  # no path of a configuration is read or written to
                settings.chroma_stem.update(eval_wavs=None, cache_path=None)
        for name in TRAINING_ONLY:
            loaders._delete_param(configuration, name)  # noqa: SLF001
        with _explained("language model"):
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
    """Where the T5 called `name` lies: in the checkpoint's folder ("./…"), or in the hub's cache.

    Raises:
        ModelError: It is nowhere, or not where a checkpoint may point to.
    """
    name = text_encoder_name(name, repr(checkpoint.name))
    if not name.startswith("./"):
        return hub_folder(name, TEXT_ENCODER_FILES)
    folder = part_folder(checkpoint.folder, name, repr(checkpoint.name))
    if (folder / "config.json").is_file():
        return folder
    raise ModelError(f"{checkpoint.name!r} lacks its text encoder: there is no {folder}/config.json.")


def _registered_text_encoder(checkpoint: Checkpoint, name: str) -> str:
    folder = text_encoder_folder(checkpoint, name)
    register_text_encoder(str(folder), text_encoder_width(folder))
    return str(folder)


def _published_codec(name: str, device: str) -> Any:
    """A codec that lies in a Hugging Face repository of its own, in the format of transformers."""
    from audiocraft.models import HFEncodecCompressionModel, HFEncodecModel

    folder = hub_folder(name, PUBLISHED_CODEC_FILES)
    return HFEncodecCompressionModel(HFEncodecModel.from_pretrained(folder)).to(device)


def _require_word_splitter(configuration: Any) -> None:
    """Refuse what would make audiocraft install a package in the middle of loading."""
    splits = any(
        (settings.model == "t5" and settings.t5.get("normalize_text"))
        or (settings.model == "lut" and settings.lut.tokenizer == "whitespace")
        for settings in conditioner_settings(configuration)
    )
    if splits and find_spec(WORD_SPLITTER) is None:
        raise ModelError(
            f"The checkpoint's conditioners split words with spaCy's {WORD_SPLITTER}, which is not "
            f"installed: python -m spacy download {WORD_SPLITTER}"
        )


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


@contextmanager
def _explained(part: str) -> Iterator[None]:
    """Audiocraft's builders and torch say by errors of every kind that a configuration is not for them."""
    try:
        yield
    except ModelError:
        raise
    except (AssertionError, ArithmeticError, AttributeError, LookupError, RuntimeError) as error:
        raise _not_built(part, error) from error
    except (TypeError, ValueError, ImportError, OSError) as error:
        raise _not_built(part, error) from error


def _not_built(part: str, error: Exception) -> ModelError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return ModelError(
        f"audiocraft cannot build the {part} that its xp.cfg describes: {reason}. Its configuration was "
        "changed, or made by another version of audiocraft (1.3.0 is supported)."
    )


def _load(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"The checkpoint's tensors do not fit its own configuration: "
            f"{'; '.join(line.strip() for line in str(error).splitlines()[1:4])[:400]}"
        ) from error
