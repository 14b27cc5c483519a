"""Plain text as Markdown, and the parsed sources that pages are made from."""

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("jobs", "pipelines", "store", "analysis", "training")


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


_MARKUP = re.compile(r"([\\|*\[\]#])")


def escaped(text: str) -> str:
    """A text as one line of Markdown that shows it as it is; what stands in backticks stays code."""
    pieces = " ".join(text.split()).split("`")
    return "`".join(piece if place % 2 else _plain(piece) for place, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    """A name as code, in a cell of a table too."""
    return f"`{text}`" if text else ""
