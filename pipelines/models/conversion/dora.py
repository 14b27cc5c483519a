"""Read `checkpoint.th`, what Dora writes while audiocraft trains, without executing anything of it.

Its configuration is pickled as objects of OmegaConf. torch's restricted unpickler is given classes without
code in their places, out of which the plain values are taken.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch

from store.errors import ModelError


class _Inert:
    """Takes whatever state it is given, and does nothing."""

    def __new__(cls, *_: object, **__: object) -> Self:
        return super().__new__(cls)


class _InertMapping(dict[Any, Any]):
    """A defaultdict without its factory."""

    def __init__(self, *_: object) -> None:
        super().__init__()


_NODES = (
    *(f"omegaconf.{module}" for module in ("dictconfig.DictConfig", "listconfig.ListConfig")),
    *(
        f"omegaconf.nodes.{kind}Node"
        for kind in ("Any", "Integer", "Float", "Boolean", "String", "Interpolation", "Bytes")
    ),
    *(f"omegaconf.base.{name}" for name in ("ContainerMetadata", "Metadata", "Node", "Container")),
    "omegaconf.nodes.InterpolationResultNode",
)
_TYPES = ("typing.Any", "builtins.dict", "builtins.list", "builtins.int", "builtins.str", "builtins.float")
MAXIMUM_DEPTH = 60


def read_training_checkpoint(path: Path) -> dict[str, Any]:
    """The package that `audiocraft.utils.export` makes of a `checkpoint.th`: "best_state", "xp.cfg" as text.

    Raises:
        ModelError: The file is missing, damaged, or holds something else.
    """
    from omegaconf import OmegaConf

    if not path.is_file():
        raise ModelError(f"There is no file {path}.")
    allowed = [(type(name.rpartition(".")[2], (_Inert,), {}), name) for name in (*_NODES, *_TYPES)]
    allowed.append((_InertMapping, "collections.defaultdict"))
    try:
        with torch.serialization.safe_globals(allowed):  # type: ignore[arg-type]
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError) as error:
        raise _unreadable(path, error) from error
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(checkpoint, dict) or "xp.cfg" not in checkpoint:
        raise ModelError(f"{path} is no training checkpoint of audiocraft: it holds no 'xp.cfg'.")
    state = checkpoint.get("fsdp_best_state") or checkpoint.get("best_state")
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise ModelError(
            f"{path} holds no 'best_state': the training was stopped before its first evaluation, which "
            "chooses the weights that are kept."
        )
    values = _plain(checkpoint["xp.cfg"], path)
    return {
        "best_state": state["model"],
        "xp.cfg": OmegaConf.to_yaml(OmegaConf.create(values)),
        "version": "1.3.0",
        "exported": True,
    }


def _plain(node: Any, path: Path, depth: int = 0) -> Any:
    """Mappings, lists, texts and numbers of an object of OmegaConf; references stay as they are written."""
    if depth > MAXIMUM_DEPTH:
        raise ModelError(f"{path}: xp.cfg is nested more than {MAXIMUM_DEPTH} deep.")
    content = node
    if isinstance(node, _Inert):
        state = vars(node)
        content = state["_content"] if "_content" in state else state.get("_val")
    if isinstance(content, Mapping):
        return {str(key): _plain(value, path, depth + 1) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value, path, depth + 1) for value in content]
    if content is None or isinstance(content, bool | int | float | str):
        return content
    raise ModelError(f"{path}: xp.cfg holds a {type(content).__name__}, which is no plain value.")


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} cannot be read without executing what is in it ({type(error).__name__}): it is damaged, or "
        "holds more than tensors and a configuration. Export it where it was trained: "
        "audiocraft.utils.export.export_lm(checkpoint.th, 'state_dict.bin')."
    )
