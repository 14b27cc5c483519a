"""The index of errors: every subclass of `UndertoneError`, and the messages that the code raises it with."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from docs.generators.markdown import ROOT, code, escaped, module_paths, tree_of

BASE = "UndertoneError"
HEAD = """# Error index

Every error that is meant for you names the value, what would be legal, and the cure. The command prints
it as one line and ends with status 1 (2 for wrong usage); `undertone --traceback COMMAND …` shows where
it came from. In Python each is a class below, and also the builtin error that one would catch anyway,
so that `except LookupError` works. Secrets in URLs are left out of all messages.

Search for a part of your message that is no name or number: those stand here as `…`.
"""


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """One class of errors as its module defines it."""

    name: str
    bases: tuple[str, ...]
    about: str
    module: str


def errors_page() -> str:
    """All classes of errors with their messages."""
    trees = {path: tree_of(path) for path in module_paths()}
    known = error_classes(trees)
    raised = _messages(trees, known)
    sections = [HEAD]
    for one in known.values():
        sections += [f"## {one.name}\n", escaped(one.about) + "\n", _origin(one)]
        if raised[one.name]:
            sections += [f'??? note "Messages ({len(raised[one.name])})"\n', *_list(raised[one.name]), ""]
    return "\n".join(sections)


def error_classes(trees: Mapping[Path, ast.Module]) -> dict[str, ErrorClass]:
    """Every class of the packages that is an `UndertoneError`, itself first."""
    defined = {
        node.name: (node, path) for path, tree in trees.items() for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }  # fmt: skip
    found: dict[str, ErrorClass] = {}
    names = [BASE]
    for name in names:  # grows while it is walked
        node, path = defined[name]
        found[name] = ErrorClass(name, _bases(node), ast.get_docstring(node) or "", _dotted(path))
        names += sorted(other for other, (child, _) in defined.items() if name in _bases(child))
    return found


def _bases(node: ast.ClassDef) -> tuple[str, ...]:
    return tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _origin(one: ErrorClass) -> str:
    kinds = ", ".join(map(code, one.bases))
    return f"{code(f'from {one.module} import {one.name}')}; base classes: {kinds}.\n"


def _messages(
    trees: Mapping[Path, ast.Module], known: Mapping[str, ErrorClass]
) -> defaultdict[str, set[tuple[str, str]]]:
    """Message and module of every `raise Class("…")` and of functions that return one, by class."""
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and (text := _template(node.args[0])):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name in known:
                    found[name].add((text, _dotted(path)))
    return found


def _template(node: ast.expr) -> str:
    """The text of a message with … for what is filled in; empty where it is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def _list(messages: set[tuple[str, str]]) -> Iterator[str]:
    for text, module in sorted(messages):
        yield f"    - {escaped(text)} ({code(module)})"
