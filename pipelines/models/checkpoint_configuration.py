"""Read and check a checkpoint's configuration before anything is built.

Only the sections that audiocraft's builders read are kept: nothing else of a stranger's text has any effect.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.models.checkpoint_schema import (
    ACTIVATIONS,
    CHROMA_LIMITS,
    CODEC,
    CONDITIONER_OPTIONS,
    CONDITIONER_REQUIRED,
    KEPT,
    KINDS,
    LANGUAGE_MODEL,
    LARGEST,
    LIMITS,
    OPTIONAL,
    OPTIONS,
    REQUIRED,
    is_number,
)
from pipelines.models.checkpoint_text import AGAIN, Resolver, parse_configuration
from store.errors import ModelError

_MARKS = {LANGUAGE_MODEL: "lm_model", CODEC: "compression_model"}
_ABSENT = object()


def read_configuration(text: Any, kind: str, where: str) -> dict[str, Any]:
    """The sections that audiocraft's builder reads, as plain values that were checked.

    Args:
        text: The value of `xp.cfg`.
        kind: LANGUAGE_MODEL or CODEC.
        where: Names the file in messages.

    Raises:
        ModelError: Something is missing, of another kind, unknown to this audiocraft, or impossibly large.
    """
    values = parse_configuration(text, where)
    _refuse_the_other_kind(values, kind, where)
    resolver = Resolver(values, where)
    kept: dict[str, Any] = {}
    for key in KEPT[kind]:
        if (value := _at(values, key, resolver)) is not _ABSENT:
            _put(kept, key, resolver.resolve(key, value))
    _require(kept, REQUIRED[kind], "", where)
    present = {key: what for key, what in OPTIONAL.items() if _at(kept, key) is not _ABSENT}
    _require(kept, present, "", where)
    _limit(kept, "", where)
    return kept


def refuse_unknown_settings(configuration: Mapping[str, Any], where: str) -> None:
    """Raise ModelError for options that audiocraft does not have, of an architecture that it supports."""
    for section, options in OPTIONS.items():
        _refuse_options(configuration, section, options, where)
    for name, settings in conditioners_of(configuration):
        below = f"conditioners.{name}.{settings['model']}"
        _refuse_options(configuration, below, CONDITIONER_OPTIONS.get(settings["model"], frozenset()), where)
        _require(configuration, CONDITIONER_REQUIRED.get(settings["model"], {}), f"{below}.", where)
        if settings["model"] == "chroma_stem":
            for key, most in CHROMA_LIMITS.items():
                _limit_one(configuration, f"{below}.{key}", most, where)
    for key, most in LIMITS.items():
        _limit_one(configuration, key, most, where)
    _check_activations(configuration, where)
    _check_fuser(configuration, where)


def conditioners_of(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and sections of the conditioners."""
    for name, settings in (configuration.get("conditioners") or {}).items():
        if name != "args":
            yield name, settings


def require_conditioners(configuration: Mapping[str, Any], where: str) -> None:
    """Raise ModelError where a conditioner does not say its kind, or lacks the settings of it."""
    for name, _ in conditioners_of(configuration):
        below = f"conditioners.{name}"
        _require(configuration, {below: "a section", f"{below}.model": "a name"}, "", where)
        kind = configuration["conditioners"][name]["model"]
        _require(configuration, {f"{below}.{kind}": "a section"}, "", where)


def _refuse_the_other_kind(values: Mapping[str, Any], kind: str, where: str) -> None:
    other = CODEC if kind == LANGUAGE_MODEL else LANGUAGE_MODEL
    if _MARKS[kind] not in values and _MARKS[other] in values:
        raise ModelError(
            f"{where} holds a {other} where a {kind} belongs. state_dict.bin is the language model "
            "(export_lm), compression_state_dict.bin the codec (export_encodec): put each in its place."
        )


def _at(values: Any, key: str, resolver: Resolver | None = None) -> Any:
    for part in key.split("."):
        if resolver is not None and isinstance(values, str):
            values = resolver.resolve(key, values)
        if not isinstance(values, Mapping) or part not in values:
            return _ABSENT
        values = values[part]
    return values


def _put(kept: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        kept = kept.setdefault(section, {})
    kept[last] = value


def _require(values: Mapping[str, Any], required: Mapping[str, str], below: str, where: str) -> None:
    for key, kind in required.items():
        value = _at(values, below + key)
        if value is _ABSENT:
            raise ModelError(f"{where}: xp.cfg lacks {below}{key}, which must be {kind}. {AGAIN}")
        if not KINDS[kind](value):
            raise ModelError(
                f"{where}: {below}{key} of xp.cfg is {_shown(value)}; it must be {kind}. {AGAIN}"
            )


def _limit(value: Any, key: str, where: str) -> None:
    """No number beyond what any model needs, and none that is not finite."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            _limit(item, f"{key}.{name}" if key else name, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _limit(item, f"{key}.{index}", where)
    elif is_number(value) and not _is_bounded(value, key):
        raise ModelError(f"{where}: {key} of xp.cfg is {_shown(value)}, which no model can have.")


def _is_bounded(value: float, key: str) -> bool:
    within = math.isfinite(value) and abs(value) < LARGEST
    return within or (key.endswith(".chroma_stem.norm") and value == math.inf)


def _limit_one(configuration: Mapping[str, Any], key: str, most: float, where: str) -> None:
    value = _at(configuration, key)
    if is_number(value) and value > most:
        raise ModelError(f"{where}: {key} of xp.cfg is {_shown(value)}; more than {most:,} is not supported.")


def _refuse_options(
    configuration: Mapping[str, Any], section: str, options: frozenset[str], where: str
) -> None:
    settings = _at(configuration, section)
    unknown = sorted(set(settings) - options) if isinstance(settings, Mapping) else []
    if unknown:
        raise ModelError(
            f"{where}: xp.cfg has {section}.{unknown[0]}, which audiocraft 1.3.0 does not know. "
            "The checkpoint was made by a newer or changed audiocraft, whose models are not supported."
        )


def _check_activations(configuration: Mapping[str, Any], where: str) -> None:
    """Names of layers: any class of torch.nn would be taken."""
    for below in ("seanet", "seanet.encoder", "seanet.decoder"):
        for name in ("activation", "final_activation"):
            value = _at(configuration, f"{below}.{name}")
            if value is not _ABSENT and value is not None and value not in ACTIVATIONS:
                raise ModelError(
                    f"{where}: {below}.{name} of xp.cfg is {_shown(value)}; legal: {', '.join(ACTIVATIONS)}."
                )


def _check_fuser(configuration: Mapping[str, Any], where: str) -> None:
    if "fuser" not in configuration:
        return
    methods = ("sum", "cross", "prepend", "input_interpolate")
    fused = {name for method in methods for name in configuration["fuser"][method]}
    if alone := sorted({name for name, _ in conditioners_of(configuration)} - fused):
        raise ModelError(
            f"{where}: the conditioner {alone[0]!r} of xp.cfg stands in none of the fuser's lists. {AGAIN}"
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
