"""The sources of the four packages, each parsed once for all pages that are made from them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("jobs", "pipelines", "store", "analysis")


def module_paths() -> list[Path]:
    """Every file of the packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def first_line(path: Path) -> str:
    """What a module says it is for, without the full stop; empty where it says nothing."""
    docstring = ast.get_docstring(tree_of(path)) if path.is_file() else None
    return (docstring or "").split("\n")[0].rstrip(".")
