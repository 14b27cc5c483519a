"""The page of all modules: the first line of each docstring, folder by folder."""

from collections.abc import Iterator
from pathlib import Path

from docs.generators.markdown import code, escaped, table
from docs.generators.sources import PACKAGES, ROOT, first_line

HEAD = """# Every module

*Pipelines produce, store keeps, analysis computes, jobs connects.*
[Architecture](../explanation/architecture.md) says who may import whom, and why. The phrases below are
the first lines of the modules themselves.
"""


def modules_page() -> str:
    """All folders of the four packages with a table of their modules."""
    return "\n".join([HEAD, *(section for package in PACKAGES for section in _sections(ROOT / package))])


def _sections(folder: Path) -> Iterator[str]:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    name = folder.relative_to(ROOT).as_posix()
    if not modules:
        return
    yield f"{'##' if name in PACKAGES else '###'} {name}/\n"
    if about := first_line(folder / "__init__.py"):
        yield escaped(about) + ".\n"
    yield table(
        ("module", "what it is for"), ((code(path.name), escaped(first_line(path))) for path in modules)
    )
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from _sections(inner)
