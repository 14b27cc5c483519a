"""Make the options of a command from the fields of its option dataclass (see `jobs.option`)."""

from collections.abc import Callable
from dataclasses import MISSING, Field
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click

from jobs.cli.options import (
    ExtensionName,
    ExtensionNames,
    FiniteRange,
    PluginName,
    complete_datasets,
    complete_runs,
)
from jobs.option import Option, flag_of, option_fields

Command = TypeVar("Command", bound=Callable[..., Any])
COMPLETIONS = {"": None, "runs": complete_runs, "datasets": complete_datasets}


def options_of(kind: type[Any]) -> Callable[[Command], Command]:
    """A decorator that gives a command the options of a dataclass, in the order of its arguments."""

    def with_options(command: Command) -> Command:
        for field, annotated, option in reversed(list(option_fields(kind))):
            command = _click_option(field, annotated, option)(command)
        return command

    return with_options


def _click_option(field: Field[Any], annotated: Any, option: Option) -> Callable[[Command], Command]:
    default, flag = field.default, flag_of(field, option)
    attributes: dict[str, Any] = {"help": option.help, "metavar": option.metavar, "multiple": default == ()}
    if default is MISSING or option.needed:
        attributes["required"] = True
    elif default is not None and default != ():
        attributes["default"] = default
        attributes["show_default"] = (default != "" and (default is not False or "/" in flag)) or None
    if annotated is bool:
        attributes["is_flag"] = True
    else:
        attributes["type"] = _param_type(annotated, option)
    flags = [one for one in (option.short, flag) if one]
    return click.option(*flags, field.name, shell_complete=COMPLETIONS[option.complete], **attributes)


def _param_type(annotated: Any, option: Option) -> Any:
    """What click reads a value with; text where the type of the field says nothing else."""
    if option.names is not None:
        names = ExtensionNames if option.free else PluginName if option.plugins else ExtensionName
        return names(option.names, *option.others)
    value = _one_of(annotated)
    if get_origin(value) is Literal:
        return click.Choice(get_args(value))
    if value is Path:
        allowed = {"file": {"dir_okay": False}, "folder": {"file_okay": False}, "any": {}}[option.path]
        return click.Path(path_type=Path, **allowed)
    if option.least is not None:
        numbers: Any = click.IntRange if value is int else FiniteRange
        return numbers(option.least, option.most, min_open=option.exclusive)
    return value if value in (int, float) else str


def _one_of(annotated: Any) -> Any:
    """The type of one value: without None, and of a tuple what it holds."""
    if get_origin(annotated) in (Union, UnionType):
        return next(part for part in get_args(annotated) if part is not NoneType)
    return get_args(annotated)[0] if get_origin(annotated) is tuple else annotated
