"""Find the files of a MusicGen checkpoint by the name that a user gives.

A checkpoint is in audiocraft's own format, `state_dict.bin` and `compression_state_dict.bin`, each a
dictionary with `best_state` (tensors) and `xp.cfg` (YAML), or in that of transformers, `config.json` beside
`model.safetensors`. It lies in a folder or in the Hugging Face cache, or is built on this machine.
"""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Any

import torch

from pipelines.models.backends import AUDIOCRAFT, TRANSFORMERS, split_backend
from pipelines.models.checkpoint_configuration import read_configuration
from pipelines.models.checkpoint_tensors import require_plain_tensors
from pipelines.models.conversion.transformers_files import is_transformers_folder
from pipelines.models.hub import cached_folder, hub_folder, listed_files
from pipelines.models.protocol import ModelSource
from store.errors import InvalidInput, ModelError, NotFound
from store.extensions import MODELS

PRETRAINED_PREFIX = "//pretrained/"
"""How audiocraft's own configurations write the name of a published codec."""
TEXT_ENCODERS = (
    *("t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b"),
    *(f"google/flan-t5-{size}" for size in ("small", "base", "large", "xl", "xxl")),
)
"""The published text encoders that audiocraft knows."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def part_folder(folder: Path, name: str, where: str) -> Path:
    """The folder `./…` within a checkpoint's own.

    Raises:
        ModelError: It leads outside.
    """
    part = folder / name
    if ".." in Path(name).parts or not part.resolve().is_relative_to(folder.resolve()):
        raise ModelError(
            f"{where}: {name!r} leads outside the checkpoint's folder, where nothing is read. Copy it "
            "into the folder and name it from there, for example ./t5."
        )
    return part


def text_encoder_name(name: str, where: str) -> str:
    """The name of a text encoder, once it is one that may be looked for.

    Raises:
        ModelError: It is neither a folder within the checkpoint nor a published T5.
    """
    if name.startswith("./") or name in TEXT_ENCODERS:
        return name
    raise ModelError(
        f"{where}: its text encoder is {name!r}. Legal are {', '.join(TEXT_ENCODERS)}, and a folder within "
        "the checkpoint's own such as ./t5: copy the text encoder there and name it so in xp.cfg."
    )


def codec_repository(name: object, where: str) -> str:
    """The repository of a published codec that a checkpoint names instead of holding one.

    Raises:
        ModelError: It is a path, an experiment of the machine it was trained on, or no repository's name.
    """
    repository = name.removeprefix(PRETRAINED_PREFIX) if isinstance(name, str) else ""
    if _REPOSITORY.fullmatch(repository) and ".." not in repository and "--" not in repository:
        return repository
    raise ModelError(
        f"{where}: its codec is {str(name)[:80]!r}, which is no repository such as facebook/encodec_32khz. "
        "Paths and experiments (//sig/…) of the machine it was trained on are not followed: export the codec "
        "itself with audiocraft.utils.export.export_encodec(checkpoint, 'compression_state_dict.bin')."
    )


LANGUAGE_MODEL_FILE = "state_dict.bin"
CODEC_FILE = "compression_state_dict.bin"
FILES = (LANGUAGE_MODEL_FILE, CODEC_FILE)
SIZES = ("small", "medium", "large", "melody", "melody-large")
HUB_NAMES = (
    *(f"facebook/musicgen-{size}" for size in SIZES),
    *(f"facebook/musicgen-stereo-{size}" for size in SIZES),
    "facebook/audiogen-medium",
)
_OTHERS = {
    "facebook/musicgen-style": "it is conditioned by style",
    "facebook/magnet-": "it fills masked tokens in any order, so that no step follows another",
    "facebook/audio-magnet-": "it fills masked tokens in any order, so that no step follows another",
    "facebook/jasco-": "it has no tokens: it denoises latents",
}
"""Beginnings of published names of other architectures, and why they are not supported."""
RAW_FILE = "checkpoint.th"
"""What Dora writes while it trains."""
TRANSFORMERS_FILES = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")
EXPORT = (
    f"undertone convert {RAW_FILE} FOLDER, or audiocraft.utils.export: export_lm ({LANGUAGE_MODEL_FILE}) for "
    f"the language model, export_encodec ({CODEC_FILE}) for its codec"
)


HUB_FILES: Mapping[str, tuple[str, ...]] = {
    AUDIOCRAFT: FILES,
    TRANSFORMERS: (
        *("config.json", "generation_config*.json", "preprocessor_config*.json", "audiocraft*"),
        *("model*.safetensors", "model*.index.json", "*.model", "tokenizer*", "special_tokens_map*"),
    ),
}
"""Files of a repository in either format; those without a star have to be there."""
PICKLED_FILES = ("pytorch_model*",)
"""Instead of `model*`, in old repositories."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a checkpoint lies."""

    name: str
    """Built-in or hub name, or the folder's own name: a store keeps it, so it is no absolute path."""
    folder: Path
    revision: str | None = None
    """The commit of the Hugging Face repository; None for folders and built-in models."""
    backend: str = AUDIOCRAFT
    """Of `BACKENDS`: whose format it has, and whose modules compute."""
    trusted: bool = False
    """Whether code that lies beside its weights may be run."""


def resolve_checkpoint(name: str) -> Checkpoint:
    """Find, download or build the checkpoint called `name`.

    Args:
        name: A built-in model, a plug-in's, a repository of the hub with an optional `@revision`, or a
            folder; "audiocraft:" or "transformers:" before it says which of two formats is meant.

    Raises:
        InvalidInput: It is not in the format that was asked for.
        ModelError: Its files are neither in the cache nor downloadable, or the built-in
            model is damaged.
        NotFound: There is no model of that name.
    """
    backend, name = split_backend(name)
    repository, _, revision = name.partition("@")
    for beginning, problem in _OTHERS.items():
        if repository.startswith(beginning):
            raise unsupported(name, problem)
    if repository in HUB_NAMES:
        return _hub_checkpoint(repository, revision or None, backend)
    if name in MODELS.names():
        folder = _registered_folder(name)
        return Checkpoint(name, folder, backend=folder_backend(folder, backend, shown=name))
    folder = Path(name).expanduser()
    if folder.is_dir():
        found = folder_backend(folder, backend)
        return Checkpoint(folder.resolve().name, folder.resolve(), backend=found)
    if _REPOSITORY.fullmatch(repository) and not name.startswith("."):
        return _hub_checkpoint(repository, revision or None, backend)
    names = ", ".join((*MODELS.names(), *HUB_NAMES))
    raise NotFound(
        f"There is no model {name!r}.{_nearest(name)} Choose {names}, or give a folder that holds "
        f"{LANGUAGE_MODEL_FILE} and {CODEC_FILE}, or a model of transformers."
    )


def folder_backend(folder: Path, wanted: str | None, *, shown: str | None = None) -> str:
    """The back-end that a folder's files are for; where they are for both, audiocraft, unless one is wanted.

    Raises:
        InvalidInput: They are for the other one only.
    """
    there = [AUDIOCRAFT] if any((folder / name).exists() for name in (*FILES, RAW_FILE)) else []
    there += [TRANSFORMERS] if is_transformers_folder(folder) else []
    if wanted is None or not there or wanted in there:
        return wanted or (there or [AUDIOCRAFT])[0]
    said = f"is in the format of {there[0]}, which --backend {wanted} does not compute. Leave --backend out"
    if shown is not None:  # a model that comes as it is
        raise InvalidInput(f"{shown} {said}.")
    raise InvalidInput(
        f"{folder} {said}, or, where the other format has such a model, convert the model: undertone convert "
        f"{quote(str(folder))} {quote(f'{folder.name}-{wanted}')}"
    )


def _hub_checkpoint(repository: str, revision: str | None, backend: str | None) -> Checkpoint:
    chosen = backend or _hub_backend(repository, revision)
    folder = hub_folder(repository, HUB_FILES[chosen], revision=revision)
    if chosen == TRANSFORMERS and not is_transformers_folder(folder):
        folder = hub_folder(repository, (*HUB_FILES[chosen], *PICKLED_FILES), revision=revision)
    return Checkpoint(repository, folder, folder.name, chosen)


def _hub_backend(repository: str, revision: str | None) -> str:
    """What is in the cache decides; then, for models that were published in both formats, audiocraft's."""
    cached = cached_folder(repository, revision)
    if cached and (is_transformers_folder(cached) or all((cached / name).exists() for name in FILES)):
        return folder_backend(cached, None)
    if repository in HUB_NAMES:
        return AUDIOCRAFT
    files = listed_files(repository, revision)
    if isinstance(files, str):
        raise NotFound(
            f"There is no folder {repository!r}, no such repository in the Hugging Face cache, and none that "
            f"can be asked for ({files}).{_nearest(repository)} Choose "
            f"{', '.join((*MODELS.names(), *HUB_NAMES))}, a folder, or with a network the OWNER/NAME of a "
            "repository."
        )
    return AUDIOCRAFT if LANGUAGE_MODEL_FILE in files else TRANSFORMERS


def _nearest(name: str) -> str:
    """The known name that was probably meant, as a question; empty where none is near."""
    near = get_close_matches(name, (*MODELS.names(), *HUB_NAMES), 1, cutoff=0.75)
    return f" Did you mean {near[0]}?" if near else ""


def _registered_folder(name: str) -> Path:
    """The folder of a model that is built in or a plug-in's."""
    with MODELS.called(name):
        folder = MODELS.load(name, ModelSource, unasked=name in MODELS.built_in).folder()
    if not Path(folder).is_dir():
        owner = MODELS.recorded(name).get("plugin", "undertone itself")
        raise ModelError(f"The model {name!r} of {owner} should lie in {folder}, which is no folder.")
    return Path(folder)


def read_package(path: Path) -> dict[str, Any]:
    """One file of a checkpoint, its tensors mapped from disk; nothing in it is executed.

    Raises:
        ModelError: The file is missing, damaged, or not in audiocraft's format.
    """
    if not path.is_file():
        raise ModelError(_missing(path))
    try:
        package = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        EOFError,
        OSError,
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
    ) as error:
        if "omegaconf" in str(error):
            raise ModelError(f"{path} is a training checkpoint of Dora. Export it with {EXPORT}.") from error
        raise ModelError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged, or no checkpoint. Download it "
            f"again; if it lies in Undertone's own cache, delete its folder and it is rebuilt."
        ) from error
    if not isinstance(package, dict) or not _is_package(package):
        raise ModelError(
            f"{path} is not in audiocraft's format: it lacks 'best_state' and 'xp.cfg'. "
            f"Export it with {EXPORT}."
        )
    if "pretrained" in package:
        return {"pretrained": codec_repository(package["pretrained"], str(path))}
    state = package["best_state"]
    if isinstance(state, dict) and set(state) == {"model"} and isinstance(state["model"], dict):
        state = state["model"]  # as Dora holds it while it trains
    require_plain_tensors(state, str(path))
    return {**package, "best_state": state}


def configuration_of(package: Mapping[str, Any], kind: str, where: str) -> Any:
    """`xp.cfg` of a package as an OmegaConf mapping of plain values alone; see `read_configuration`."""
    from omegaconf import OmegaConf

    return OmegaConf.create(read_configuration(package["xp.cfg"], kind, where))


def _missing(path: Path) -> str:
    folder = path.parent
    if path.name == LANGUAGE_MODEL_FILE and (folder / RAW_FILE).exists():
        return f"{folder} holds a training checkpoint of Dora, {RAW_FILE}. Export it with {EXPORT}."
    lacks = f"{folder} holds no {path.name}. audiocraft's checkpoints consist of {' and '.join(FILES)}"
    if any((folder / name).exists() for name in TRANSFORMERS_FILES):
        return (
            f"{lacks}; this folder holds weights in the format of transformers without their config.json. "
            "Copy that file, too."
        )
    return (
        f"{lacks}, those of transformers of config.json and model.safetensors (or its shards), and here is "
        f"neither. Export audiocraft's with {EXPORT}."
    )


def _is_package(package: Mapping[str, Any]) -> bool:
    return "pretrained" in package or {"best_state", "xp.cfg"} <= set(package)


def unsupported(name: str, problem: str) -> ModelError:
    """The error of a model whose architecture is another."""
    return ModelError(
        f"{name!r} cannot be used: {problem}. Models of the family of MusicGen are supported: "
        f"{', '.join(HUB_NAMES)}, and fine-tunes of them."
    )
