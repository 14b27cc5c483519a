"""MkDocs calls this: it adds the pages that are made from the code and from documents beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.generators.commands import show_examples
from docs.generators.errors import errors_page
from docs.generators.modules import ROOT, modules_page
from docs.generators.python_api import python_page
from docs.generators.sweeps import sweeps_page
from docs.generators.views import views_page

GENERATED: Mapping[str, Callable[[], str]] = {
    "reference/errors.md": errors_page,
    "reference/modules.md": modules_page,
    "reference/python.md": python_page,
    "reference/sql.md": views_page,
    "reference/sweep.md": sweeps_page,
}
ELSEWHERE: Mapping[str, Path] = {
    "reference/store-format.md": ROOT / "store/FORMAT.md",
    "reference/pocket-card.md": ROOT / "pipelines/pocket/CARD.md",
    "reference/card/curves.svg": ROOT / "pipelines/pocket/card/curves.svg",
    "reference/measurements.md": ROOT / "benchmarks/RESULTS.md",
    "reference/changes.md": ROOT / "CHANGELOG.md",
}
"""Documents that lie beside the code they are about."""


def on_pre_build(config: MkDocsConfig) -> None:
    """Prepare the help texts of the commands for the page of mkdocs-click."""
    from jobs.cli import undertone

    show_examples(undertone)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for place, make in GENERATED.items():
        files.append(File.generated(config, place, content=make()))
    for place, source in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(source)))
    return files
