"""The page of a sweep's TOML keys, from the dataclasses that read them, with the sweeps that are shipped."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from itertools import zip_longest
from typing import Any

from analysis.effects.choice import Limits
from docs.generators.markdown import code, escaped, table
from jobs.sweep.configuration import (
    Controls,
    SamplingValues,
    SteeredConcept,
    SweepConfiguration,
    read_sweep,
    shipped_sweeps,
)
from jobs.sweep.grid import Grid

TABLES = {
    "concepts": ("[[concepts]]", SteeredConcept),
    "grid": ("[grid]", Grid),
    "sampling": ("[sampling]", SamplingValues),
    "controls": ("[controls]", Controls),
    "choice": ("[choice]", Limits),
}
FROM_THE_FILE = ("name",)
"""Not written in the file, but the file's own name."""
HEAD = """# Keys of a sweep

A sweep is a TOML file for [`undertone sweep`](cli.md#undertone-sweep). Only a concept with a `name` is
needed; all else has a default. [Sweep over ways to steer](../how-to/sweep.md) shows a whole file with
comments. An unknown key, a value of the wrong type or one that is not legal is refused before anything
is done, with the legal ones.
"""
TYPES = {
    "str": "text", "float": "number", "int": "whole number", "bool": "true or false",
    "tuple[str, ...]": "list of texts", "tuple[int, ...]": "list of whole numbers",
    "tuple[Strength, ...]": 'list of numbers, or "auto"',
    "tuple[tuple[int, ...], ...]": '"all", or a list of layers and of lists of them',
    "tuple[tuple[str, tuple[str, ...]], ...]": "table of lists",
}  # fmt: skip


def sweeps_page() -> str:
    """All keys, then the shipped sweeps."""
    sections = [HEAD, "## Top of the file\n", _keys(SweepConfiguration, without=(*FROM_THE_FILE, *TABLES))]
    for title, kind in TABLES.values():
        about = inspect.cleandoc(kind.__doc__ or "").partition(": ")[2]
        sections += [f"## {title}\n", escaped(about[:1].upper() + about[1:]) + "\n", _keys(kind)]
    return "\n".join([*sections, "## Sweeps that come with Undertone\n", *_shipped()])


def descriptions(kind: type) -> dict[str, str]:
    """Field → the text below it in the source of its dataclass."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    found: dict[str, str] = {}
    for field, below in zip_longest(node.body, node.body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            found[field.target.id] = str(text.value) if isinstance(text, ast.Constant) else ""
    return found


def annotations(kind: type) -> dict[str, str]:
    """Field → its type as the source writes it."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    return {
        one.target.id: ast.unparse(one.annotation) for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    }  # fmt: skip


def _keys(kind: Any, without: tuple[str, ...] = ()) -> str:
    about, types = descriptions(kind), annotations(kind)
    rows = (
        (code(one.name), escaped(TYPES[types[one.name]]), code(_default(one)), escaped(about[one.name]))
        for one in fields(kind)
        if one.name not in without
    )
    return table(("key", "type", "default", "meaning"), rows)


def _default(field: Field[Any]) -> str:
    if field.default is MISSING:
        return "needed"
    return "all" if field.name == "layers" else _toml(field.default)


def _toml(value: Any) -> str:
    """A default as one would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return f"{value}"


def _shipped() -> Iterator[str]:
    for name, path in shipped_sweeps().items():
        yield f"### {name}\n"
        yield escaped(read_sweep(path).question) + "\n"
        yield f"```toml\n{path.read_text(encoding='utf-8').strip()}\n```\n"
