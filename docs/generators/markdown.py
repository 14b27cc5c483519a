"""Plain text as Markdown: nothing in it is taken for markup, names in backticks stay code."""

import re
from collections.abc import Iterable, Sequence

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
