"""Hook of MkDocs: add the pages that are made from the code and from documents beside it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generators.code_pages import modules_page, python_page, show_examples
from docs.generators.errors import errors_page
from docs.generators.markdown import ROOT
from docs.generators.store_pages import store_format_page, views_page
from docs.generators.sweeps import sweeps_page

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


GENERATED: Mapping[str, Callable[[], str]] = {
    "reference/errors.md": errors_page,
    "reference/modules.md": modules_page,
    "reference/python.md": python_page,
    "reference/sql.md": views_page,
    "reference/store-format.md": store_format_page,
    "reference/sweep.md": sweeps_page,
}
ELSEWHERE: Mapping[str, Path] = {
    "reference/pocket-card.md": ROOT / "pipelines/pocket/CARD.md",
    "reference/card/curves.svg": ROOT / "pipelines/pocket/card/curves.svg",
    "reference/measurements.md": ROOT / "benchmarks/RESULTS.md",
    "reference/changes.md": ROOT / "CHANGELOG.md",
}
"""Documents that lie beside the code they are about."""
COMMANDS = "reference/cli.md"
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="?https?:|<link\b[^>]*stylesheet[^>]*https?:"""
)
"""What a page would load from the network; links to other sites are none of it."""
WITHOUT_DEFAULT = re.compile(r"<td>(?:None|<code>Sentinel\.UNSET</code>)</td>")
"""How mkdocs-click shows that an option has no default."""


def on_pre_build(config: MkDocsConfig) -> None:
    """Prepare the help texts of the commands for the page of mkdocs-click."""
    from jobs.cli.main import undertone

    show_examples(undertone)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for place, make in GENERATED.items():
        files.append(File.generated(config, place, content=make()))
    for notebook in notebooks():
        place = f"tutorials/notebooks/{notebook.stem}.md"
        files.append(File.generated(config, place, content=notebook_page(notebook)))
    for place, source in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(source)))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Refuse a page of commands that lacks one; leave defaults out that are none."""
    from jobs.cli.main import undertone

    if page.file.src_uri == COMMANDS:
        missing = [name for name in _anchors(undertone, "undertone") if f'id="{name}"' not in html]
        if missing:
            raise PluginError(f"{COMMANDS} lacks {', '.join(missing)}")
        return WITHOUT_DEFAULT.sub("<td></td>", html)
    return html


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that would fetch anything: it must open without a network."""
    if match := FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri} would fetch {match[0]} …")
    return output


def _anchors(command: click.Command, name: str) -> Iterator[str]:
    yield name
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            if found := command.get_command(context, below):
                yield from _anchors(found, f"{name}-{below}")
