"""The repository keeps its own rules: names, layout, documentation, and nothing of one machine in it.

The import directions are contracts in pyproject.toml and checked by `make lint`.
"""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipelines", "store", "jobs", "analysis", "training", "undertone_explore", "undertone_testing")


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("this is a copy without its git history")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_generic_package_names_resolve_to_this_repository(package: str) -> None:
    assert importlib.import_module(package).__file__ == str(ROOT / package / "__init__.py")


def test_there_is_no_package_below_tests() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = {"torch", "ray", "audiocraft", "transformers", "laion_clap", "librosa", "scipy", "zarr"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, jobs.cli.main; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert heavy.isdisjoint(loaded)


def first_lines() -> dict[str, str]:
    """The first line of the docstring of every module, those of packages included; "" where there is none."""
    folders = (*PACKAGES, "benchmarks", "docs")
    paths = [ROOT / "undertone.py", *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    texts = {path: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "" for path in paths}
    return {path.relative_to(ROOT).as_posix(): text.split("\n")[0] for path, text in texts.items()}


NO_SUBJECT = re.compile(r"(What|How|Of|For|From|When|Where|Which|If|Only|Also|And|Or)\b")
THIRD_PERSON = re.compile(
    r"(Accepts|Adds|Applies|Asks|Brings|Builds|Chooses|Collects|Commits|Compacts|Compares|"
    r"Computes|Converts|Copies|Creates|Cuts|Decides|Decodes|Delivers|Detects|Encodes|"
    r"Exports|Fills|Finds|Fits|Gathers|Generates|Gives|Handles|Holds|Imports|Keeps|Lets|"
    r"Loads|Looks|Makes|Measures|Opens|Parses|Prepares|Prints|Reads|Refuses|Remembers|"
    r"Removes|Renames|Renders|Resolves|Returns|Samples|Saves|Says|Selects|Sends|Shows|"
    r"Sorts|Tells|Trains|Turns|Withdraws|Writes)\b"
)
"""Verbs that are no nouns as well."""


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, line in first_lines().items() if not line] == []


def test_the_first_line_of_a_module_is_an_imperative_or_a_noun_phrase() -> None:
    lines = first_lines()
    assert len(lines) > 400
    amiss = {name: line for name, line in lines.items() if NO_SUBJECT.match(line) or THIRD_PERSON.match(line)}
    assert amiss == {}
    assert {name: line for name, line in lines.items() if not line.endswith((".", "?", ":"))} == {}


def test_nothing_of_this_machine_stands_in_a_tracked_file() -> None:
    here = {f"{folder}/" for folder in (ROOT, Path.home()) if len(folder.parts) > 1}
    here |= {os.environ[name] for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS") if os.environ.get(name)}
    for path in tracked_files():
        content = path.read_bytes()
        assert [place for place in here if place.encode() in content] == [], path


def test_the_requirement_files_name_no_place_to_fetch_from() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        requirements = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
        assert [line for line in requirements if re.search(r"://|^-|^/|\s@\s", line)] == [], path


def test_every_package_is_pinned_and_to_no_build_of_one_machine() -> None:
    lines = (ROOT / "requirements/lock.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert len(pins) > 100
    assert [pin for pin in pins if not re.match(r"^[a-z0-9.-]+==[^+\s]+( ; .+)?$", pin)] == []
