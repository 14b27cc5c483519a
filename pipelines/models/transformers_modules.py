"""Build transformers' modules of a MusicGen from what a `config.json` says, and nothing else of a folder.

Only configuration keys that the classes themselves know are passed on: no remote code, no choice of an
attention implementation or of a number format by a stranger's file.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from pipelines.models.conversion.names import WEIGHT_NORM
from pipelines.models.conversion.to_audiocraft import MELODY
from store.errors import ModelError

_UNFIT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""How transformers and torch say that a configuration is not for them."""
NAMED = 3
"""Tensors that a message names."""
LARGEST_CHROMA = 1 << 16
IGNORED = {
    *(
        "architectures",
        "auto_map",
        "dtype",
        "transformers_version",
        "name_or_path",
        "max_position_embeddings",
    ),
    *("dropout", "dropout_rate", "attention_dropout", "activation_dropout", "layerdrop"),
}
"""Keys without an effect on what is computed; sines of positions grow as they are used."""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """While modules are built: no warnings, no progress bars, no trace in torch's random state."""
    from transformers.utils import logging

    verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bars:
            logging.enable_progress_bar()


def build_whole(config: Mapping[str, Any], *, attention: str = "sdpa") -> Any:
    """The whole model of a `config.json`, its weights unset, on the device of the `with` around.

    Raises:
        ModelError: transformers cannot build what it describes.
    """
    from huggingface_hub.errors import StrictDataclassError

    with quiet_transformers():
        from transformers import (
            EncodecConfig,
            MusicgenConfig,
            MusicgenDecoderConfig,
            MusicgenForConditionalGeneration,
            MusicgenMelodyConfig,
            MusicgenMelodyDecoderConfig,
            MusicgenMelodyForConditionalGeneration,
            T5Config,
        )
        from transformers.initialization import no_init_weights

        melody = config["model_type"] == MELODY
        decoder_class = MusicgenMelodyDecoderConfig if melody else MusicgenDecoderConfig
        try:
            parts: dict[str, Any] = {
                "text_encoder": _known(T5Config, config["text_encoder"]),
                "audio_encoder": _known(EncodecConfig, config["audio_encoder"]),
                "decoder": _known(decoder_class, config["decoder"]),
            }
            if melody:
                sizes: dict[str, Any] = {
                    key: _small(config, key) for key in ("num_chroma", "chroma_length") if key in config
                }
                whole: Any = MusicgenMelodyConfig(**parts, **sizes)
            else:
                whole = MusicgenConfig(**parts)
            # Of the decoder alone: the codec has no choice.
            parts["decoder"]._attn_implementation = attention  # noqa: SLF001
            kind = MusicgenMelodyForConditionalGeneration if melody else MusicgenForConditionalGeneration
            with no_init_weights():  # drawing them takes longer than reading those that replace them
                return kind(whole)
        except ModelError:
            raise
        except (StrictDataclassError, *_UNFIT) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(
                f"transformers cannot build the model that its config.json describes: {reason}"
            ) from error


def require_shapes(config: Mapping[str, Any], found: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Raise ModelError unless transformers builds a model with just these tensors; no memory is taken.

    Args:
        config: As `config.json` says it.
        found: Shapes by name, as `shapes_of` gives them.
        where: Names the folder in messages.
    """
    layers = config["text_encoder"].get("num_layers", 0)
    if not isinstance(layers, int) or layers > len(found):
        raise ModelError(
            f"{where}: config.json says num_layers {layers} of the text encoder, which is too many."
        )
    with torch.device("meta"):
        built = build_whole(config).state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in built.items() if name not in TIED}
    amiss = [
        f"{name} is {found[name]}, not {shape}" if name in found else f"{name} is missing"
        for name, shape in expected.items()
        if found.get(name) != shape
    ]
    amiss += [f"{name} has no place" for name in sorted(set(found) - set(expected) - set(TIED))]
    if amiss:
        raise ModelError(
            f"{where}: its tensors do not fit its configuration, in the names of transformers: "
            f"{'; '.join(amiss[:NAMED])}."
        )


def shapes_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes by the names that the present transformers has."""
    return {modern_name(name): tuple(tensors[name].shape) for name in tensors}


TIED = ("text_encoder.encoder.embed_tokens.weight",)
"""The same tensor as `text_encoder.shared.weight`."""


def modern_name(name: str) -> str:
    """The name that the present transformers has for a tensor of an older one's files."""
    for old, new in WEIGHT_NORM.items():
        if name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    return name


def _small(config: Mapping[str, Any], key: str) -> int:
    value = config[key]
    if isinstance(value, int) and 0 < value <= LARGEST_CHROMA:
        return value
    raise ModelError(
        f"{key} of config.json is {value!r}; it must be a whole number up to {LARGEST_CHROMA:,}."
    )


def _known(kind: Any, values: Mapping[str, Any]) -> Any:
    known = {name: value for name, value in values.items() if name in _fields(kind)}
    return kind(**known)


def _fields(kind: Any) -> frozenset[str]:
    """The keys that a configuration class of transformers has of its own."""
    return frozenset(getattr(kind, "__dataclass_fields__", {})) - IGNORED
