"""The generated pages of the documentation hold all that they are about."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from docs.generators.code_pages import as_markdown, modules_page
from docs.generators.errors import errors_page
from docs.generators.markdown import ROOT, escaped
from docs.generators.store_pages import example_catalog, views_page
from docs.generators.sweeps import TABLES, descriptions, sweeps_page
from jobs.sweep.configuration import SweepConfiguration, shipped_sweeps
from store.catalog.query import View, describe_views
from store.errors import UndertoneError
from store.results import schemas
from store.results.views import RESULT_VIEWS

PACKAGES = ("pipelines", "store", "jobs", "analysis", "training")
FIRST_LINE = re.compile(r'r?"""([^"\n]*\w[^\n]*?)(?:"""|\n)')


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> list[View]:
    return describe_views(example_catalog(tmp_path_factory.mktemp("example")))


def modules() -> list[Path]:
    return [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name != "__init__.py"
    ]


def test_every_module_stands_on_its_page_with_what_it_says_of_itself() -> None:
    page = modules_page()
    for path in modules():
        said = FIRST_LINE.match(path.read_text(encoding="utf-8"))
        assert said, path
        row = f"| `{path.name}` | {escaped(said[1].strip().rstrip('.'))} |"
        assert row in page, path
    assert page.count("\n| `") == len(modules())


def subclasses(kind: type[UndertoneError]) -> Iterator[type[UndertoneError]]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def test_every_error_stands_in_the_index_with_a_sentence_and_its_messages() -> None:
    for path in modules():
        if "(UndertoneError" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    page = errors_page()
    known = {one for one in subclasses(UndertoneError) if one.__module__.split(".")[0] in PACKAGES}
    assert len(known) > 10
    for kind in known:
        assert f"\n## {kind.__name__}\n\n{escaped((kind.__doc__ or '?').splitlines()[0])}" in page
    assert "Messages (" in page.partition("## NotFound")[2].partition("\n## ")[0]
    assert "There is no file …, and no sweep of that name comes with Undertone" in page


def test_the_example_store_has_every_view_that_a_command_makes(views: list[View]) -> None:
    assert set(RESULT_VIEWS) - {view.name for view in views} == set()
    names = {view.name.removeprefix("results_") for view in views}
    assert set(schemas.TABLES) - names == set()


def test_every_column_of_every_view_is_explained_on_the_page(views: list[View]) -> None:
    page = views_page()
    for view in views:
        assert view.comment, view.name
        assert f"\n## {view.name}\n" in page
        for column in view.columns:
            assert column.comment, (view.name, column.name)
            assert f"| `{column.name}` | `{column.type}` | {escaped(column.comment)} |" in page


def test_every_key_of_a_sweep_is_explained_on_the_page() -> None:
    page = sweeps_page()
    for kind in (SweepConfiguration, *(kind for _, kind in TABLES.values())):
        explained = descriptions(kind)
        for field in fields(kind):
            if kind is SweepConfiguration and field.name in {"name", "concepts", *TABLES}:
                continue
            assert explained[field.name], (kind, field.name)
            assert re.search(rf"^\| `{field.name}` \| .+ \| `.+` \| .+ \|$", page, re.MULTILINE), field.name
    assert [name for name in shipped_sweeps() if f"\n### {name}\n" not in page] == []


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    assert escaped("a | b *c* [d] <e> and `f | <g>`") == r"a \| b \*c\* \[d\] &lt;e> and `f | <g>`"


def test_lines_that_click_keeps_become_a_block() -> None:
    @click.command()
    def command() -> None:
        """Do <it>.

        \b
        Examples:
          undertone do it
            --now
        """

    shown = as_markdown(command.help or "")
    assert shown == "Do &lt;it>.\n\n**Examples:**\n\n```bash\nundertone do it\n  --now\n```"
