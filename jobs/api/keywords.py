"""Keyword arguments of the Python functions that run commands: types here, the rest from option dataclasses.

A function takes `**given: Unpack[…]` of a TypedDict. Defaults, checks and sentences come from the dataclass
that the command's options come from too; a sentence that reads otherwise in Python stands in `Annotated`.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypedDict, TypeVar, get_args, get_type_hints

from jobs.api.values import (
    Layers,
    Names,
    Tables,
    arrow_tables,
    heads_text,
    layers_text,
    names_text,
    numbers_text,
    roots_texts,
)
from jobs.execution import Dtype as Numbers
from jobs.execution import Engine, FitEngine
from jobs.execution import StoreDtype as StoreNumbers
from jobs.option import Option, option_fields
from jobs.progress.reporters import Told
from pipelines.steering.edits import Kind, Scaling, SteeredRows
from store.errors import InvalidInput

Function = TypeVar("Function", bound=Callable[..., Any])
Options = TypeVar("Options")
Convert = Callable[[Any], Any]
Device = Literal["auto", "cpu", "cuda"]
Backend = Literal["audiocraft", "transformers"] | None
Dtype = Literal["float32", "bfloat16", "float16"]
StoreDtype = Literal["float32", "float16", "bfloat16", "int8"]
DTYPES: Mapping[Dtype, Numbers] = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
"""The names that commands use for the types of numbers, by those of Python."""
STORE_DTYPES: Mapping[StoreDtype, StoreNumbers] = {
    "float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8",
}  # fmt: skip


class Work(TypedDict, total=False):
    """Where models work, and who is told how far they are."""

    device: Device
    engine: Annotated[Engine, '"inline" works in this process; "ray" in several, or on a cluster.']
    address: Annotated[str, 'of the Ray cluster; "local" for a private one, "auto" for that of this node.']
    workers: int | None
    threads: int
    gpus_per_worker: float
    roots: Annotated[Mapping[str, str | Path] | None, "where the audio of a dataset is, by its name."]
    shared_filesystem: bool
    metrics_file: str | Path | None
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


class FitOfRun(TypedDict, total=False):
    """Which layers of a run are read, where, and who is told how far that is."""

    sites: Annotated[Names, "for a run, which sites; None for all."]
    layers: Annotated[Layers, "for a run, which layers, such as range(4, 8); None for all."]
    tables: Annotated[Tables, "for a run, tables of yours that the query may read, by name."]
    engine: Annotated[FitEngine, 'for a run, "inline", "ray", or "auto" by how long it takes.']
    address: Annotated[str, 'for a run, of the Ray cluster; "local" for a private one.']
    workers: Annotated[int | None, "for a run, tasks at once; as many as processors by default."]
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


class Sampled(TypedDict, total=False):
    """How tokens are sampled, and how long."""

    seconds: Annotated[
        float | None,
        "length, an audio prompt included; by default 10, and as much more as the prompt lasts.",
    ]
    guidance: float
    temperature: float
    top_k: int
    top_p: float
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


class Edited(TypedDict, total=False):
    """How a direction is applied, as a `Manner` of an edit says it."""

    kind: Annotated[
        Kind,
        'with "interpolate", the activation h becomes (h + α‖h‖r) / (1 + α), with "add" h + α‖h‖r; with '
        '"ablate", alpha is the part that is removed.',
    ]
    scaling: Annotated[Scaling, '"norm" (by the length of the activation), "unit" or "norm_restored".']
    away: Annotated[bool, "allow negative strengths: away from the class."]
    foreign: Annotated[bool, "allow a direction that was found in another model or at another place."]


class SteeredPasses(Edited, total=False):
    """And which passes of a generation are steered."""

    rows: Annotated[SteeredRows, 'under classifier-free guidance, "conditional" or "both".']
    steer_prompt: Annotated[bool, "edit the frames of an audio prompt too."]


OF_RUNS = {*FitOfRun.__annotations__, "labels"}
"""Keywords that say nothing of arrays."""
LAST = {*Work.__annotations__, "tables"}
"""Keywords that most functions have; they come behind what makes a function."""


def numbers_of(dtype: Dtype) -> Numbers:
    """Type of numbers as commands call it; raises `InvalidInput`."""
    if dtype not in DTYPES:
        raise InvalidInput(f"dtype {dtype!r} is not supported. Choose {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def store_numbers_of(dtype: StoreDtype) -> StoreNumbers:
    """Type of stored numbers as commands call it; raises `InvalidInput`."""
    if dtype not in STORE_DTYPES:
        raise InvalidInput(f"store_dtype {dtype!r} is not supported. Choose {', '.join(STORE_DTYPES)}.")
    return STORE_DTYPES[dtype]


def _path_of(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


CONVERSIONS: Mapping[str, tuple[str, Convert]] = {
    "clap": ("clap", str),
    "dtype": ("dtype", numbers_of),
    "store_dtype": ("store_dtype", store_numbers_of),
    "heads": ("heads", heads_text),
    "layers": ("layers", layers_text),
    "loss": ("loss", names_text),
    "metrics_file": ("metrics_file", _path_of),
    "melody": ("melody", _path_of),
    "model_file": ("model_file", _path_of),
    "method": ("methods", names_text),
    "model": ("model", str),
    "penalties": ("penalties", numbers_text),
    "reductions": ("reduce", names_text),
    "roots": ("roots", roots_texts),
    "sites": ("sites", names_text),
    "tables": ("tables", arrow_tables),
}
"""By keyword: the field of the options, and what makes its value."""


def options_from(
    kind: type[Options],
    given: Mapping[str, Any],
    own: Mapping[str, tuple[str, Convert]] = MappingProxyType({}),
    **fixed: Any,
) -> Options:
    """The options of a command from keywords of Python.

    Args:
        kind: dataclass of the options.
        given: the keywords; `progress` is none of the command's.
        own: conversions of this command, beside or instead of the common ones.
        fixed: fields that were positional arguments.
    """
    for name, value in given.items():
        if name != "progress":
            field, convert = own.get(name) or CONVERSIONS.get(name) or (name, _as_it_is)
            fixed[field] = convert(value)
    return kind(**fixed)


def of_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a fit that arrays take too; those that are about runs must not have been given."""
    own = {name: value for name, value in given.items() if name != "labels" or value is not None}
    if of_runs := [name for name in own if name in OF_RUNS]:
        raise TypeError(f"{of_runs[0]!r} is about runs; arrays come with their labels y and groups.")
    return own


def _as_it_is(value: Any) -> Any:
    return value


def documented(
    typed: Any, *options: type[Any], named: Mapping[str, str] | None = None, **defaults: Any
) -> Callable[[Function], Function]:
    """Decorator of a function that takes `**given: Unpack[typed]`: signature, help and misspelt names.

    Args:
        typed: TypedDict of the keywords.
        options: dataclasses whose fields have their defaults and sentences.
        named: by keyword the field of another name, beside the common ones.
        defaults: of keywords where Python has others than the command.
    """
    fields = {name: field for name, (field, _) in CONVERSIONS.items()} | dict(named or {})

    def with_documentation(function: Function) -> Function:
        keywords = _parameters(typed, options, fields, defaults)
        own = [one for one in inspect.signature(function).parameters.values() if one.kind != one.VAR_KEYWORD]
        named_own = {one.name for one in own}

        @wraps(function)
        def checked(*positional: Any, **given: Any) -> Any:
            if unknown := [name for name in given if name not in keywords and name not in named_own]:
                near = get_close_matches(unknown[0], [*keywords, *named_own], 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise TypeError(
                    f"{function.__name__}() got an unexpected keyword argument {unknown[0]!r}{hint}"
                )
            return function(*positional, **{**defaults, **given})

        more = [one for name, (one, _) in keywords.items() if name not in named_own]
        checked.__signature__ = inspect.signature(function).replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        sentences = {name: text for name, (_, text) in keywords.items() if name not in named_own}
        checked.__doc__ = _with_arguments(inspect.getdoc(function) or "", sentences)
        return checked  # type: ignore[return-value]

    return with_documentation


def _parameters(
    typed: Any, options: Sequence[type[Any]], fields: Mapping[str, str], defaults: Mapping[str, Any]
) -> dict[str, tuple[inspect.Parameter, str]]:
    """Each keyword as a parameter, and the sentence that explains it."""
    described = {field.name: (field, one) for kind in options for field, _, one in option_fields(kind)}
    found = {}
    for name, kind in get_type_hints(typed, include_extras=True).items():
        field, option = described.get(fields.get(name, name), (None, None))
        default = defaults.get(name, False if name == "progress" else None)
        if name not in defaults and field is not None:
            default = inspect.Parameter.empty if field.default is MISSING else field.default
        annotation, *said = get_args(kind) if hasattr(kind, "__metadata__") else (kind,)
        text = next((one for one in said if isinstance(one, str)), "") or _begun_small(option)
        parameter = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )
        found[name] = parameter, text
    return dict(sorted(found.items(), key=lambda one: one[0] in LAST))


def _begun_small(option: Option | None) -> str:
    """A sentence of `--help` as one behind the name of an argument."""
    text = "" if option is None else option.help
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _with_arguments(text: str, sentences: Mapping[str, str]) -> str:
    """A docstring whose section Args goes on with more of them."""
    before, mark, rest = text.partition("Args:\n")
    written, gap, after = rest.partition("\n\n")
    more = "".join(f"\n    {name}: {sentence}" for name, sentence in sentences.items())
    return f"{before}{mark}{written}{more}{gap}{after}"
