"""The repository keeps its own rules: names, layout, documentation, and nothing of one machine in it.

The import directions are contracts in pyproject.toml and checked by `make lint`.
"""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipelines", "store", "jobs", "analysis", "undertone_testing")


def modules() -> set[str]:
    """Every module of the packages, as a path relative to the repository."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }


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


def test_every_module_says_what_it_is_for() -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in modules()}
    assert [name for name, text in texts.items() if not text.startswith(('"""', 'r"""'))] == []


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
