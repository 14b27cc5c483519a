"""Parse `xp.cfg` of a checkpoint to plain values, without resolving references outside of it.

A checkpoint may come from a stranger, and its configuration is a small language: `${oc.env:NAME}` reads the
environment of whoever loads it. Here a reference may only name another key of the same text (`${a.b}`), as
audiocraft's own configurations do; whatever else begins with `${` is refused where a section is read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from store.errors import ModelError

MAXIMUM_CHARACTERS = 1 << 18
"""Configurations of audiocraft have some 20,000."""
MAXIMUM_VALUES = 20_000
MAXIMUM_DEPTH = 40
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C where PyYAML was built with it
_REFERENCE = re.compile(r"\$\{\s*([\w-]+(?:\.[\w-]+)*)\s*\}")
CURE = "Write the value itself into xp.cfg"
EXPORTED = (
    "exported checkpoint: this is one of Dora's training checkpoints. Export it with "
    "audiocraft.utils.export.export_lm(checkpoint.th, state_dict.bin), its codec with export_encodec(…, "
    "compression_state_dict.bin)."
)
AGAIN = "Export the checkpoint again with audiocraft.utils.export (export_lm or export_encodec)."
LEGAL = "legal are sections, lists, texts, numbers, true, false and null"


_Loader: Any = type("_Loader", (_Parser,), {})
"""Plain values alone; 1e-3 is a number, as OmegaConf writes it."""
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def parse_configuration(text: Any, where: str) -> Mapping[str, Any]:
    """The mapping that a YAML text holds, with its references unresolved.

    Args:
        text: The value of `xp.cfg`.
        where: Names the file in messages.

    Raises:
        ModelError: It is no text, empty, no YAML, no mapping, or far too large.
    """
    if not isinstance(text, str):
        raise ModelError(f"{where}: xp.cfg is a {type(text).__name__}, not the YAML text of an {EXPORTED}")
    if not text.strip():
        raise ModelError(f"{where}: xp.cfg is empty. {AGAIN}")
    if len(text) > MAXIMUM_CHARACTERS:
        raise ModelError(f"{where}: xp.cfg has {len(text):,} characters, more than {MAXIMUM_CHARACTERS:,}.")
    try:
        _check_events(text, where)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 — a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = "" if line is None else f" (line {line + 1})"
        raise ModelError(f"{where}: xp.cfg is not YAML{at}. {AGAIN}") from error
    if not isinstance(values, Mapping):
        raise ModelError(
            f"{where}: xp.cfg holds a {type(values).__name__}, not sections with settings. {AGAIN}"
        )
    return values


def _check_events(text: str, where: str) -> None:
    """Refuse, before anything is built of it, what would grow without bounds."""
    depth = 0
    for event in yaml.parse(text, Loader=_Parser):
        if isinstance(event, yaml.AliasEvent):
            raise ModelError(
                f"{where}: xp.cfg repeats parts by YAML aliases (*name), which are not read. {AGAIN}"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAXIMUM_DEPTH:
            raise ModelError(f"{where}: xp.cfg is nested more than {MAXIMUM_DEPTH} deep. {AGAIN}")


@dataclass(slots=True)
class Resolver:
    """Replaces references within one configuration by the values that they name."""

    values: Mapping[str, Any]
    where: str
    seen: int = 0
    """Values given so far: references can make a short text long."""

    def resolve(self, key: str, value: Any, depth: int = 0) -> Any:
        """A value as plain mappings, lists, texts, numbers, booleans and None.

        Raises:
            ModelError: It reaches outside the text, names a key that is not there, or goes on for ever.
        """
        self.seen += 1
        if self.seen > MAXIMUM_VALUES or depth > MAXIMUM_DEPTH:
            raise ModelError(f"{self.where}: {key} of xp.cfg refers to itself, or is far too large. {CURE}.")
        if isinstance(value, Mapping):
            return {
                _text_key(name, key, self.where): self.resolve(f"{key}.{name}", item, depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.resolve(f"{key}.{index}", item, depth + 1) for index, item in enumerate(value)]
        if isinstance(value, str):
            return self._resolve_text(key, value, depth)
        if value is None or isinstance(value, bool | int | float):
            return value
        raise ModelError(f"{self.where}: {key} of xp.cfg is a {type(value).__name__}; {LEGAL}.")

    def _resolve_text(self, key: str, value: str, depth: int) -> Any:
        if value == "???":
            raise ModelError(f"{self.where}: {key} of xp.cfg was never set (it says ???). {CURE}.")
        if "${" not in value:
            return value
        reference = _REFERENCE.fullmatch(value.strip())
        if reference is None:
            raise ModelError(
                f"{self.where}: {key} of xp.cfg is {value[:80]!r}. Only references to another key, such as "
                f"${{sample_rate}}, are followed; the environment and other sources are never asked. {CURE}."
            )
        return self.resolve(key, self._named(key, reference[1]), depth + 1)

    def _named(self, key: str, name: str) -> Any:
        value: Any = self.values
        for part in name.split("."):
            if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
                value = value[int(part)]
            elif isinstance(value, Mapping) and part in value:
                value = value[part]
            else:
                raise ModelError(
                    f"{self.where}: {key} of xp.cfg refers to ${{{name}}}, and there is no such key. {CURE}."
                )
        return value


def _text_key(name: Any, below: str, where: str) -> str:
    if not isinstance(name, str):
        raise ModelError(f"{where}: {below} of xp.cfg has a key that is no text: {name!r}.")
    return name
