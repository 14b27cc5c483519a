"""Read a folder in the format of transformers: JSON and tensors, nothing that is executed.

Tensors are read when they are asked for, from mapped files.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pipelines.models.conversion.names import NOT_WEIGHTS
from pipelines.models.conversion.safetensors_shards import INDEX, SINGLE
from pipelines.models.conversion.to_audiocraft import MELODY, MUSICGEN
from store.errors import ModelError

CONFIG, GENERATION, FEATURES = "config.json", "generation_config.json", "preprocessor_config.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
WEIGHTS = (SINGLE, INDEX, PICKLED, PICKLED_INDEX)
"""In the order in which transformers looks for them."""
KINDS = (MUSICGEN, MELODY)
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "text_encoder": {"model_type": "t5"},
    "audio_encoder": {
        "model_type": "encodec",
        "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
        "sampling_rate": 24_000,
        "audio_channels": 1,
        "hidden_size": 128,
        "num_filters": 32,
        "num_residual_layers": 1,
        "upsampling_ratios": [8, 5, 4, 2],
        "kernel_size": 7,
        "last_kernel_size": 7,
        "residual_kernel_size": 3,
        "dilation_growth_rate": 2,
        "compress": 2,
        "num_lstm_layers": 2,
        "codebook_size": 1024,
    },
    "decoder": {
        "vocab_size": 2048,
        "num_hidden_layers": 24,
        "ffn_dim": 4096,
        "num_attention_heads": 16,
        "hidden_size": 1024,
        "num_codebooks": 4,
    },
}
"""By section of `config.json`, what transformers takes where it says nothing."""
LARGEST_JSON = 1 << 20
LARGEST_INDEX = 1 << 25
_FILE_NAME = re.compile(r"[\w][\w.-]*", re.ASCII)


class LazyTensors(Mapping[str, torch.Tensor]):
    """Tensors by name, each read at the moment it is asked for and not kept."""

    def __init__(self, readers: Mapping[str, Callable[[], torch.Tensor]]) -> None:
        self._readers = readers

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


def is_transformers_folder(folder: Path) -> bool:
    """Whether a folder holds the weights of a model in the format of transformers."""
    return (folder / CONFIG).is_file() and any((folder / name).is_file() for name in WEIGHTS)


def read_json(path: Path, *, largest: int = LARGEST_JSON, optional: bool = False) -> dict[str, Any]:
    """The object in a JSON file, {} where it is absent and `optional`.

    Raises:
        ModelError: It is missing, damaged, or far too large.
    """
    if optional and not path.exists():
        return {}
    try:
        if path.stat().st_size > largest:
            raise ModelError(f"{path} is too large for a configuration.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is missing or no JSON: copy the model's folder again.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds a {type(found).__name__}, not an object.")
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a MusicGen.

    Raises:
        ModelError: It describes another model.
    """
    config = read_json(folder / CONFIG)
    kind = config.get("model_type")
    if kind not in KINDS:
        said = "no model" if kind is None else repr(str(kind)[:60])
        raise ModelError(
            f"{folder / CONFIG} describes {said}. Of the models of transformers, {' and '.join(KINDS)} are "
            "supported."
        )
    for part in DEFAULTS:
        if not isinstance(config.get(part), dict):
            raise ModelError(f"{folder / CONFIG} lacks the section {part}, which every MusicGen has.")
        config[part] = {**DEFAULTS[part], **config[part]}
    return {"num_chroma": 12, "chroma_length": 235, **config}


def read_tensors(folder: Path) -> LazyTensors:
    """All weights of a folder, under the names of transformers.

    Raises:
        ModelError: Files are missing or damaged.
    """
    present = [name for name in WEIGHTS if (folder / name).is_file()]
    if not present:
        raise ModelError(f"{folder} holds none of {', '.join(WEIGHTS)}: copy the model's folder again.")
    first = present[0]
    files = _shards(folder, folder / first) if first in (INDEX, PICKLED_INDEX) else [folder / first]
    readers: dict[str, Callable[[], torch.Tensor]] = {}
    for file in files:
        readers |= safetensors_readers(file) if file.suffix == ".safetensors" else _pickled(file)
    return LazyTensors({name: read for name, read in readers.items() if not NOT_WEIGHTS.fullmatch(name)})


def _shards(folder: Path, index: Path) -> list[Path]:
    names = read_json(index, largest=LARGEST_INDEX).get("weight_map")
    found = sorted(set(names.values())) if isinstance(names, dict) and names else []
    if not found or not all(isinstance(name, str) and _FILE_NAME.fullmatch(name) for name in found):
        raise ModelError(f"{index} names no files beside it: copy the model's folder again.")
    missing = [name for name in found if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{folder} lacks {missing[0]}, which {index.name} names: copy it again.")
    return [folder / name for name in found]


def safetensors_readers(file: Path) -> dict[str, Callable[[], torch.Tensor]]:
    """By name, what reads a tensor of one file.

    Raises:
        ModelError: The file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        handle: Any = safe_open(file, framework="pt")
        return {name: _Reader(handle, name, file) for name in handle.keys()}  # noqa: SIM118 — no mapping
    except (OSError, SafetensorError, ValueError) as error:
        raise _damaged(file, error) from error


class _Reader:
    def __init__(self, handle: Any, name: str, file: Path) -> None:
        self._handle, self._name, self._file = handle, name, file

    def __call__(self) -> torch.Tensor:
        try:
            tensor: torch.Tensor = self._handle.get_tensor(self._name)
        except Exception as error:
            raise _damaged(self._file, error) from error
        return tensor


def _pickled(file: Path) -> dict[str, Callable[[], torch.Tensor]]:
    import pickle

    from pipelines.models.checkpoint_tensors import require_plain_tensors

    try:
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, AttributeError) as error:
        raise _damaged(file, error) from error
    except (KeyError, IndexError, TypeError) as error:
        raise _damaged(file, error) from error
    require_plain_tensors(state, str(file))
    return {name: partial(state.__getitem__, name) for name in state}


def _damaged(file: Path, error: Exception) -> ModelError:
    return ModelError(f"{file} cannot be read ({type(error).__name__}): it is damaged. Copy it again.")
