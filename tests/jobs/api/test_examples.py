"""Every example in the documentation of the API runs, and gives what stands below it."""

import doctest
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertone as ut

ROOT = Path(__file__).resolve().parents[3]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
HOW_TO = ROOT / "docs" / "how-to" / "python.md"


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder()
    found = [test for name in ut.__all__ for test in finder.find(getattr(ut, name), name)]
    return [test for test in found if test.examples]


def test_every_function_is_shown_in_use() -> None:
    """In an example of its own, or on the page that walks through all of them."""
    page = HOW_TO.read_text(encoding="utf-8")
    with_example = {test.name for test in examples()}
    functions = [name for name in ut.__all__ if inspect.isfunction(getattr(ut, name))]
    assert [name for name in functions if name not in with_example and f"ut.{name}(" not in page] == []


@pytest.fixture
def names(
    music: ut.Store, model: Any, genres: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What the examples take for granted."""
    monkeypatch.chdir(tmp_path)
    vector = np.random.default_rng(0).normal(size=128)
    direction = ut.Direction(np.asarray(vector / np.linalg.norm(vector), np.float32), "jazz", None, "drawn")
    known = {name: getattr(ut, name) for name in ut.__all__}
    return known | {
        "np": np,
        "store": music,
        "model": model,
        "direction": direction,
        "recordings": genres,
        "folder": tmp_path,
    }


@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_an_example_gives_what_it_says(example: doctest.DocTest, names: dict[str, Any]) -> None:
    example.globs = names
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
    assert result.failed == 0, "".join(said)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_the_page_on_python_runs_from_top_to_bottom(
    genres: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(genres, tmp_path / "Music" / "by-genre")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) > 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(HOW_TO), "exec"), names)
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "report.html").is_file()
