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

        melody = config["model_type"] == MELODY
        decoder_class = MusicgenMelodyDecoderConfig if melody else MusicgenDecoderConfig
        try:
            parts: dict[str, Any] = {
                "text_encoder": _known(T5Config, config["text_encoder"]),
                "audio_encoder": _known(EncodecConfig, config["audio_encoder"]),
                "decoder": _known(decoder_class, config["decoder"]),
            }
            if melody:
                sizes = {key: config[key] for key in ("num_chroma", "chroma_length") if key in config}
                whole: Any = MusicgenMelodyConfig(**parts, **sizes)
            else:
                whole = MusicgenConfig(**parts)
            # Of the decoder alone: the codec has no choice.
            parts["decoder"]._attn_implementation = attention  # noqa: SLF001
            kind = MusicgenMelodyForConditionalGeneration if melody else MusicgenForConditionalGeneration
            return kind(whole)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(
                f"transformers cannot build the model that its config.json describes: {reason}"
            ) from error


def expected_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The tensors that a model of a `config.json` has in its file; no memory is taken."""
    with torch.device("meta"):
        model = build_whole(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return {name: shape for name, shape in shapes.items() if name not in TIED}


TIED = ("text_encoder.encoder.embed_tokens.weight",)
"""The same tensor as `text_encoder.shared.weight`."""


def modern_name(name: str) -> str:
    """The name that the present transformers has for a tensor of an older one's files."""
    for old, new in WEIGHT_NORM.items():
        if name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    return name


def _known(kind: Any, values: Mapping[str, Any]) -> Any:
    known = {name: value for name, value in values.items() if name in _fields(kind)}
    return kind(**known)


def _fields(kind: Any) -> frozenset[str]:
    """The keys that a configuration class of transformers has of its own."""
    own = set(getattr(kind, "__dataclass_fields__", {}))
    return frozenset(own - {"architectures", "auto_map", "dtype", "transformers_version", "name_or_path"})
