"""The pages on plug-ins: what they show installs as it stands there."""

from pathlib import Path

import pytest
from setuptools import Distribution  # type: ignore[import-untyped]

from tests.jobs.extensions.conftest import ROOT, HowTo

PAGES = ["own-dataset", "own-direction", "own-figure", "own-model", "own-module", "own-probe", "own-scorer"]


def test_the_list_is_of_all_pages_with_a_plug_in() -> None:
    pages = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs/how-to").glob("own-*.md")}
    assert sorted(name for name, text in pages.items() if "entry-points" in text) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_the_project_of_a_page_builds_with_its_tests_beside_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = HowTo(name)
    (entries,) = page.project["entry-points"].values()
    (target,) = entries.values()
    module = target.partition(":")[0]
    (tmp_path / f"{module}.py").write_text(page.code, "utf-8")
    tests = f"test_{module.removeprefix('undertone_')}"
    (tmp_path / f"{tests}.py").write_text(page.tests, "utf-8")
    (tmp_path / "lofi").mkdir()  # a folder of weights
    (tmp_path / "pyproject.toml").write_text(page.blocks["ini"][0], "utf-8")
    monkeypatch.chdir(tmp_path)
    built = Distribution()
    built.parse_config_files()
    built.set_defaults()  # discovers modules and packages, and refuses where it cannot choose
    assert (built.py_modules, built.packages or []) == ([module], [])
    assert f"`{tests}.py`" in (ROOT / f"docs/how-to/{name}.md").read_text()
    assert page.blocks["ini"][0].startswith("[build-system]")
