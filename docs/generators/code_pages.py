"""Help texts as Markdown, and the pages of modules and of the Python interface, from docstrings."""

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from docs.generators.markdown import PACKAGES, ROOT, code, escaped, first_line, table

KEPT_LINES = "\b"
"""Click's mark of a paragraph whose lines stay as they are."""


def show_examples(command: click.Command) -> None:
    """Rewrite the help of a command and of all below it as Markdown; once, as it stays rewritten."""
    command.help = as_markdown(command.help or "")
    for option in command.params:
        if isinstance(option, click.Option):
            option.help = escaped(option.help or "")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                show_examples(below)


def as_markdown(text: str) -> str:
    """A help text with click's marks as Markdown."""
    return "\n\n".join(_paragraph(each) for each in inspect.cleandoc(text).split("\n\n"))


def _paragraph(text: str) -> str:
    if not text.startswith(KEPT_LINES):
        return escaped(text)
    title, _, lines = text.removeprefix(KEPT_LINES).strip("\n").partition("\n")
    language = "bash" if title.startswith("Example") else "text"
    return f"**{escaped(title)}**\n\n```{language}\n{textwrap.dedent(lines)}\n```"


HEAD = """# Every module

*Pipelines produce, store keeps, analysis computes, jobs connects.*
[Architecture](../explanation/architecture.md) says who may import whom, and why. The phrases below are
the first lines of the modules themselves.
"""


def modules_page() -> str:
    """All folders of the packages with a table of their modules."""
    return "\n".join([HEAD, *(section for package in PACKAGES for section in _sections(ROOT / package))])


def _sections(folder: Path) -> Iterator[str]:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    name = folder.relative_to(ROOT).as_posix()
    about = first_line(folder / "__init__.py")
    if modules or about:
        yield f"{'##' if name in PACKAGES else '###'} {name}/\n"
    if about:
        yield escaped(about) + ".\n"
    if modules:
        rows = ((code(path.name), escaped(first_line(path))) for path in modules)
        yield table(("module", "what it is for"), rows)
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from _sections(inner)


FACADE = ROOT / "undertone.py"
STORE = """# Python

Read a store from Python: activations as NumPy, xarray or Zarr. [Use a notebook](../how-to/notebook.md) shows
how.

::: store
"""
WHOLE = """# Python

::: undertone
"""


def python_page() -> str:
    """The whole interface where there is one, else what the store offers."""
    return WHOLE if FACADE.is_file() else STORE
