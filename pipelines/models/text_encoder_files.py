"""Check the files of a T5 text encoder before transformers builds a model from them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from store.errors import ModelError

WEIGHTS = "model.safetensors"
LARGEST_CONFIG_BYTES = 1 << 20
_SIZES = ("d_model", "num_layers", "vocab_size", "d_kv", "num_heads", "d_ff")


def text_encoder_width(folder: Path) -> int:
    """What `config.json` says of a T5's width, once its weights file is large enough for what it describes.

    Raises:
        ModelError: A file is missing or damaged, or the configuration describes far more than the file holds.
    """
    path = folder / "config.json"
    try:
        if path.stat().st_size > LARGEST_CONFIG_BYTES:
            raise ModelError(f"{path} is too large for a configuration.")
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as JSON: copy the text encoder's folder again.") from error
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    if kind != "t5":
        raise ModelError(f"{path} describes {kind!r}; only text encoders of the kind t5 are supported.")
    for name in _SIZES:
        if not isinstance(settings.get(name), int) or not 0 < settings[name] < 2**31:
            raise ModelError(
                f"{path}: {name} is {settings.get(name)!r}; it must be a whole number from 1 on."
            )
    width, weights = int(settings["d_model"]), folder / WEIGHTS
    if weights.exists() and (needed := _fewest_parameters(settings)) > weights.stat().st_size:
        raise ModelError(
            f"{path} describes a text encoder of at least {needed:,} parameters, and {WEIGHTS} beside it has "
            f"{weights.stat().st_size:,} bytes: they do not belong together."
        )
    return width


def text_encoder_state(folder: Path) -> Mapping[str, Any]:
    """The tensors of a T5 that lies in a checkpoint's folder.

    Raises:
        ModelError: The file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(
            f"{folder / WEIGHTS} is missing or damaged: copy the text encoder's folder again, saved by "
            "transformers' save_pretrained."
        ) from error


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder, of whichever class of transformers its files name; no hub is asked.

    Raises:
        ModelError: transformers' AutoTokenizer cannot load it.
    """
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        # Without its files transformers gives a tokenizer of hardly any tokens, and no error.
        if not any((folder / name).is_file() for name in found.vocab_files_names.values()):
            raise FileNotFoundError(folder)
    except (OSError, ValueError, TypeError, AttributeError, LookupError, ImportError) as error:
        raise ModelError(
            f"{folder} holds no tokenizer that transformers' AutoTokenizer loads ({type(error).__name__}). "
            "Copy the files tokenizer.json, tokenizer_config.json and spiece.model of the T5 into it."
        ) from error
    return found


def _fewest_parameters(settings: Mapping[str, int]) -> int:
    inner = settings["num_heads"] * settings["d_kv"]
    block = 4 * settings["d_model"] * inner + 2 * settings["d_model"] * settings["d_ff"]
    return settings["vocab_size"] * settings["d_model"] + settings["num_layers"] * block
