"""The repository keeps its own rules: names, layout, documentation, and nothing of one machine in it.

The import directions are contracts in pyproject.toml and checked by `make lint`.
"""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipelines", "store", "jobs", "analysis")


def modules() -> set[str]:
    """Every module of the four packages, as a path relative to the repository."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    }


def first_line(module: str) -> str:
    """What a module says it is for."""
    docstring = ast.get_docstring(ast.parse((ROOT / module).read_text(encoding="utf-8")))
    assert docstring, module
    return docstring.split("\n")[0].rstrip(".")


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group that does something itself."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is listed but missing"
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


def undertone_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    from jobs.cli import undertone

    return list(commands(undertone))


@pytest.fixture(scope="module")
def guide() -> str:
    """What users are shown: README and the pages of the documentation."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("this is a copy without its git history")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def listed_in_tree(text: str) -> dict[str, str]:
    """Path → phrase, for each line of the tree: the fenced block that shows the packages."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    trees = [block for block in blocks if re.search(rf"^\W*({'|'.join(PACKAGES)})/", block, re.MULTILINE)]
    assert len(trees) == 1, "CONTRIBUTING.md needs exactly one tree of the repository"
    phrases: dict[str, str] = {}
    folders: list[tuple[int, str]] = []
    for line in filter(str.strip, trees[0].splitlines()):
        match = re.match(r"^([\s│├└─]*)(\S+)\s*(.*)$", line)
        assert match, line
        depth, name, phrase = len(match[1]), match[2], match[3]
        folders = [folder for folder in folders if folder[0] < depth]
        path = "/".join([folder.rstrip("/") for _, folder in folders] + [name])
        if name.endswith("/"):
            folders.append((depth, name))
        phrases[path] = phrase
    return phrases


def shell_lines(text: str) -> list[str]:
    """Every `undertone …` command in a text, continued lines joined, up to a pipe, redirection or comment."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^\s*(?:\$ )?(?:\S*/)?(undertone [a-z].*)$", joined, re.MULTILINE)
    return [re.split(r"\s[|>#&]", line)[0] for line in lines]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_generic_package_names_resolve_to_this_repository(package: str) -> None:
    assert importlib.import_module(package).__file__ == str(ROOT / package / "__init__.py")


def test_there_is_no_package_below_tests() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = {"torch", "ray", "audiocraft", "transformers", "laion_clap", "librosa", "scipy", "zarr"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, jobs.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert heavy.isdisjoint(loaded)


def test_every_module_says_what_it_is_for() -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in modules()}
    assert [name for name, text in texts.items() if not text.startswith(('"""', 'r"""'))] == []


def test_the_tree_in_contributing_lists_every_module_with_a_phrase_and_nothing_else() -> None:
    tree = listed_in_tree((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    listed = {path for path in tree if path.endswith(".py") and path.split("/")[0] in PACKAGES}
    assert listed == modules()
    assert {path: tree[path] for path in listed} == {path: first_line(path) for path in listed}
    assert [path for path in tree if not (ROOT / path).exists()] == []


def test_every_command_explains_itself_with_an_example() -> None:
    helps = {" ".join(("undertone", *names)): command.help or "" for names, command in undertone_commands()}
    assert helps
    assert [
        invocation
        for invocation, text in helps.items()
        if "Example" not in text or not any(line.startswith(invocation) for line in shell_lines(text))
    ] == []


def test_every_option_has_a_help_text() -> None:
    assert [
        f"undertone {' '.join(names)} {parameter.opts[0]}"
        for names, command in undertone_commands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ] == []


def test_every_command_stands_in_the_guide(guide: str) -> None:
    shown = shell_lines(guide)
    invocations = [" ".join(("undertone", *names)) for names, _ in undertone_commands()]
    assert [name for name in invocations if not any(line.startswith(name) for line in shown)] == []


def test_every_command_line_that_is_shown_is_legal(guide: str) -> None:
    """--help after it makes click read all options and then do nothing."""
    from jobs.cli import undertone

    helps = [command.help or "" for _, command in undertone_commands()]
    for line in shell_lines("\n".join([guide, undertone.help or "", *helps])):
        result = CliRunner().invoke(undertone, [*shlex.split(line)[1:], "--help"])
        assert result.exit_code == 0, f"{line}\n{result.output}"


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
