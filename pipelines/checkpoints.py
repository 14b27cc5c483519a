"""From the name a user gives to the files of a MusicGen checkpoint.

A checkpoint is in audiocraft's own format: `state_dict.bin` and `compression_state_dict.bin`, each a
dictionary with `best_state` (tensors) and `xp.cfg` (YAML). It lies in a folder or in the Hugging Face cache,
or is built on this machine.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.pocket import random_pocket_folder
from pipelines.pocket.shipped import shipped_folder
from store.errors import ModelError, NotFound

LANGUAGE_MODEL_FILE = "state_dict.bin"
CODEC_FILE = "compression_state_dict.bin"
FILES = (LANGUAGE_MODEL_FILE, CODEC_FILE)
BUILT_IN = ("pocket", "pocket-random")
HUB_NAMES = tuple(f"facebook/musicgen-{size}" for size in ("small", "medium", "large", "melody"))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a checkpoint lies."""

    name: str
    """Built-in or hub name, or the folder's own name: a store keeps it, so it is no absolute path."""
    folder: Path
    revision: str | None = None
    """The commit of the Hugging Face repository; None for folders and built-in models."""


def resolve_checkpoint(name: str) -> Checkpoint:
    """Find, download or build the checkpoint called `name`.

    Args:
        name: A built-in model, one of `HUB_NAMES` with an optional `@revision`, or a folder.

    Raises:
        ModelError: The model is stereo, its files are neither in the cache nor downloadable, or the built-in
            model is damaged.
        NotFound: There is no model of that name.
    """
    if name == "pocket":
        return Checkpoint(name, shipped_folder())
    if name == "pocket-random":
        return Checkpoint(name, random_pocket_folder())
    repository, _, revision = name.partition("@")
    if "-stereo-" in repository and not Path(name).exists():
        raise _stereo(name)
    if repository in HUB_NAMES:
        folder = hub_folder(repository, FILES, revision=revision or None)
        return Checkpoint(repository, folder, folder.name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Checkpoint(folder.resolve().name, folder.resolve())
    raise NotFound(
        f"There is no model {name!r}. Choose {', '.join((*BUILT_IN, *HUB_NAMES))}, or give a folder that "
        f"holds {LANGUAGE_MODEL_FILE} and {CODEC_FILE}."
    )


def hub_folder(repository: str, patterns: tuple[str, ...], *, revision: str | None = None) -> Path:
    """The snapshot folder of a Hugging Face repository; its last part is the commit.

    Raises:
        ModelError: The files are not in the cache and cannot be downloaded.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    at = f" at revision {revision!r}" if revision else ""
    cure = f"With a network: hf download {repository} {' '.join(patterns)}"
    try:
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=list(patterns)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{repository!r}{at} is neither in the Hugging Face cache nor can it be downloaded "
            f"({type(error).__name__}). {cure}"
        ) from error
    # Offline, a snapshot counts as present whichever of its files it has.
    missing = [name for name in patterns if "*" not in name and not (folder / name).exists()]
    if missing:
        raise ModelError(f"{repository!r}{at} is in the Hugging Face cache without {missing[0]}. {cure}")
    return folder


def read_package(path: Path) -> dict[str, Any]:
    """One file of a checkpoint, its tensors mapped from disk; nothing in it is executed.

    Raises:
        ModelError: The file is missing, damaged, or not in audiocraft's format.
    """
    if not path.is_file():
        raise ModelError(
            f"{path.parent} holds no {path.name}. audiocraft's checkpoints consist of {LANGUAGE_MODEL_FILE} "
            f"and {CODEC_FILE}; those of transformers must be converted first."
        )
    try:
        package = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise ModelError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged, or no checkpoint. Download it "
            f"again; if it lies in Undertone's own cache, delete its folder and it is rebuilt."
        ) from error
    if not isinstance(package, dict) or not _is_package(package):
        raise ModelError(f"{path} is not in audiocraft's format: it lacks 'best_state' and 'xp.cfg'.")
    return package


def configuration_of(package: Mapping[str, Any]) -> Any:
    """`xp.cfg` of a package as an OmegaConf mapping."""
    from omegaconf import OmegaConf

    return OmegaConf.create(package["xp.cfg"])


def _is_package(package: Mapping[str, Any]) -> bool:
    return "pretrained" in package or {"best_state", "xp.cfg"} <= set(package)


def refuse_stereo(name: str, configuration: Any) -> None:
    """Raise ModelError for a model whose codebooks interleave two channels."""
    if configuration.get("interleave_stereo_codebooks", {}).get("use", False):
        raise _stereo(name)


def _stereo(name: str) -> ModelError:
    return ModelError(
        f"{name!r} is a stereo model: its 8 codebooks interleave two channels, and clips are mono, so its "
        f"activations would be wrong. Choose {', '.join(HUB_NAMES)} or pocket."
    )
