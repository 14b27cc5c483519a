"""Plug-ins as they lie on a machine where somebody installed them: written into a folder of their own."""

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from jobs.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
Install = Callable[..., Path]


class HowTo:
    """The plug-in of a page of the documentation: its code, its pyproject.toml, its command, its tests."""

    def __init__(self, page: str) -> None:
        text = (ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8")
        self.blocks: dict[str, list[str]] = {}
        for language, body in BLOCK.findall(text):
            self.blocks.setdefault(language, []).append(body)
        self.code = self.blocks["python"][0]
        self.tests = self.blocks["python"][-1]
        self.project = tomllib.loads(self.blocks["ini"][0])["project"]
        self.commands = [line for body in self.blocks.get("sh", []) for line in body.splitlines()]

    def conformance(self) -> type:
        """The class of tests that the page ends with."""
        names: dict[str, object] = {}
        exec(compile(self.tests, "tests of the page", "exec"), names)
        (found,) = [one for name, one in names.items() if name.startswith("Test") and isinstance(one, type)]
        return found


def run_all(kind: type, folder: Path) -> list[str]:
    """Run every test of a class as pytest would, each in a folder of its own; returns their names."""
    ran = []
    for name, test in inspect.getmembers(kind, inspect.isfunction):
        if name.startswith("test_"):
            own = folder / name
            own.mkdir(parents=True)
            given = {"tmp_path": own} if "tmp_path" in inspect.signature(test).parameters else {}
            with suppress(pytest.skip.Exception):
                test(kind(), **given)
                ran.append(name)
    return ran


@pytest.fixture
def conform(tmp_path: Path) -> Callable[[type], list[str]]:
    """Run the tests of a conformance class; the first that fails raises its AssertionError."""
    return lambda kind: run_all(kind, tmp_path / kind.__name__)


@pytest.fixture
def undertone(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line; returns its exit code, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return int(str(exit_.value.code)), printed.out, printed.err

    return run


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution that nobody built: a module, and what pip writes beside it."""
    before = set(sys.modules)

    def write(
        name: str, version: str, entry_points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]
    ) -> Path:
        folder = tmp_path / f"site-{name}-{version}"
        about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
        lines = [
            line
            for group, entries in entry_points.items()
            for line in (f"[{group}]", *(f"{entry} = {target}" for entry, target in entries.items()))
        ]
        (about / "entry_points.txt").write_text("\n".join(lines), "utf-8")
        for module, code in modules.items():
            (folder / f"{module}.py").write_text(code, "utf-8")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        return folder

    yield write
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


@pytest.fixture
def install_page(install: Install) -> Callable[[str], HowTo]:
    """Install the plug-in of a how-to page."""

    def write(page: str) -> HowTo:
        how_to = HowTo(page)
        (entries,) = how_to.project["entry-points"].values()
        (module,) = {target.partition(":")[0] for target in entries.values()}
        install(
            how_to.project["name"],
            how_to.project["version"],
            how_to.project["entry-points"],
            {module: how_to.code},
        )
        return how_to

    return write
