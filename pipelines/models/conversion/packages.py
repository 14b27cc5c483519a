"""Write the two files of audiocraft's format, from tensors that need not all be in memory at once."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.models.checkpoint_configuration import read_configuration
from pipelines.models.checkpoint_schema import CODEC, LANGUAGE_MODEL
from pipelines.models.checkpoint_text import parse_configuration
from pipelines.models.checkpoints import (
    CODEC_FILE,
    LANGUAGE_MODEL_FILE,
    RAW_FILE,
    codec_repository,
    read_package,
)
from pipelines.models.conversion.dora import read_training_checkpoint
from pipelines.models.conversion.safetensors_shards import raw_bytes
from store.errors import InvalidInput, ModelError


def write_package(path: Path, package: Mapping[str, Any]) -> None:
    """`torch.save` with tensors that lie in a file: it wants all of them at once."""
    if "pretrained" in package:
        torch.save(dict(package), path)
        return
    scratch = path.with_suffix(".tensors")
    mapped = _mapped(scratch, package["best_state"])
    torch.save({**package, "best_state": mapped}, path)
    del mapped
    scratch.unlink()


def _mapped(scratch: Path, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors, copied one by one to a file and mapped from there."""
    places: dict[str, tuple[int, torch.dtype, torch.Size]] = {}
    with scratch.open("wb") as file:
        for name in state:
            tensor = state[name]
            file.write(b"\0" * (-file.tell() % 64))
            places[name] = file.tell(), tensor.dtype, tensor.shape
            file.write(raw_bytes(tensor))
    whole = np.memmap(scratch, mode="c")
    return {
        name: torch.frombuffer(whole, dtype=dtype, count=shape.numel(), offset=offset).reshape(shape)
        for name, (offset, dtype, shape) in places.items()
    }


def export(raw: Path, folder: Path, codec: str | None) -> int:
    """What `audiocraft.utils.export` does, with nothing executed."""
    package = read_training_checkpoint(raw)
    values = parse_configuration(package["xp.cfg"], str(raw))
    if "lm_model" not in values:
        if codec is not None:
            raise InvalidInput(f"{raw} is itself a codec: leave out --codec.")
        read_configuration(package["xp.cfg"], CODEC, str(raw))
        write_package(folder / CODEC_FILE, package)
        return len(package["best_state"])
    read_configuration(package["xp.cfg"], LANGUAGE_MODEL, str(raw))
    write_package(folder / LANGUAGE_MODEL_FILE, package)
    _export_codec(folder / CODEC_FILE, codec or str(values.get("compression_model_checkpoint", "")), raw)
    return len(package["best_state"])


def _export_codec(path: Path, codec: str, raw: Path) -> None:
    file = Path(codec).expanduser()
    if not codec.startswith("//") and file.is_file():
        if file.suffix == Path(RAW_FILE).suffix:
            write_package(path, read_training_checkpoint(file))
        else:
            read_package(file)
            shutil.copyfile(file, path)
        return
    try:
        repository = codec_repository(codec, str(raw))
    except ModelError as error:
        raise ModelError(
            f"{raw} was trained with the codec {codec[:80]!r}, which lies on another machine. Name it: "
            "--codec with its compression_state_dict.bin, its checkpoint.th, or a repository such as "
            "facebook/encodec_32khz."
        ) from error
    write_package(path, {"pretrained": repository, "exported": True, "version": "1.3.0"})
