"""Every tutorial notebook runs from top to bottom, a second time too, and finds what its text says."""

import ast
from pathlib import Path
from typing import Any

import pytest

from docs.generators.hook import cells, notebook_page, notebooks

NOTEBOOKS = {path.stem: path for path in notebooks()}


def run(name: str) -> dict[str, Any]:
    """What the names of a notebook mean after its last cell; the value of every cell shows itself."""
    names: dict[str, Any] = {}
    for kind, text in cells(NOTEBOOKS[name]):
        if kind != "code":
            continue
        body = ast.parse(text).body
        shown = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), name, "exec"), names)
        if isinstance(shown, ast.Expr):
            value = eval(compile(ast.Expression(shown.value), name, "eval"), names)
            assert getattr(value, "_repr_html_", value.__repr__)()
    return names


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_one_for_each_journey() -> None:
    assert NOTEBOOKS.keys() == {"first-look", "own-music", "probe-a-layer", "steer"}


@pytest.mark.parametrize("path", NOTEBOOKS.values(), ids=NOTEBOOKS.keys())
def test_a_notebook_is_kept_without_results_and_its_page_has_every_cell(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count('"outputs": []') == text.count('"execution_count": null') == text.count('"code"')
    page = notebook_page(path)
    assert page.startswith("# ")
    assert page.count("```python\n") == sum(kind == "code" for kind, _ in cells(path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_a_first_look(here: Path) -> None:
    run("first-look")
    names = run("first-look")
    assert (here / "first-look.html").stat().st_size == len(names["report"].html.encode())
    assert {row["layer"] for row in names["store"].sql("FROM probes").arrow().to_pylist()} == {0, 3, 5}


@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_own_music(here: Path) -> None:
    names = run("own-music")
    assert names["nearest"][0]["clip_id"] == names["clip_ids"][0]
    assert names["nearest"][0]["cosine"] == pytest.approx(1)
    assert names["values"].shape == (16, 128)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_probing_a_layer(here: Path) -> None:
    names = run("probe-a-layer")
    found, leaked, honest = names["found"], names["leaked"], names["honest"]
    assert found.interval[0] > found.baseline
    assert leaked.score > honest.score + 0.1
    assert honest.interval[0] < 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::undertone.UndertoneWarning")
def test_steering(here: Path) -> None:
    names = run("steer")
    assert all(one.score > one.random_score for one in names["rock"])
    plain, steered, control = (names[name].samples for name in ("plain", "steered", "control"))
    quarter = len(plain) // 8  # a second is 16,000 samples
    assert abs(steered[:quarter] - plain[:quarter]).max() < 0.05 < abs(steered - plain).max()
    assert abs(control - steered).max() > 0.05
