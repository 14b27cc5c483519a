"""Pages of the tutorial notebooks, made from their cells."""

import json
from collections.abc import Iterator
from pathlib import Path

from docs.generators.sources import ROOT

FOLDER = ROOT / "docs/tutorials/notebooks"


def notebooks() -> list[Path]:
    """The files of all tutorial notebooks."""
    return sorted(FOLDER.glob("*.ipynb"))


def cells(notebook: Path) -> Iterator[tuple[str, str]]:
    """Kind ("markdown" or "code") and text of every cell."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        yield cell["cell_type"], "".join(cell["source"])


def notebook_page(notebook: Path) -> str:
    """Markdown of a notebook, with a link to its file; links between notebooks lead to their pages."""
    parts = [text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells(notebook)]
    title, *others = parts
    link = f"[Download this page as a notebook]({notebook.name}){{ download }}"
    return "\n\n".join([title, link, *(part.replace(".ipynb)", ".md)") for part in others)]) + "\n"
