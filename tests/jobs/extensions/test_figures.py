"""Figures of reports: the plug-in of the documentation, and those built in, by the same tests."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import undertone as ut
from store import Store, open_store
from undertone_testing.figures import FigureConformance, write_example_store

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the tests for plug-ins; nothing is written to it."""
    folder = tmp_path_factory.mktemp("figures") / "example.store"
    write_example_store(folder)
    return folder


@pytest.fixture
def on_example(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each test for plug-ins the fitting."""
    monkeypatch.setattr(FigureConformance, "store", lambda _self, _folder: open_store(example))


def test_the_plug_in_of_the_documentation_is_short_and_stands_in_a_report(
    install_page: Callable[[str], Any],
    example: Path,
    tmp_path: Path,
    undertone: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = install_page("own-figure")
    assert page.code.count("\n") < 60
    (tmp_path / "example.store").symlink_to(example)
    monkeypatch.chdir(tmp_path)
    (line,) = page.commands
    code, _, err = undertone(*shlex.split(line)[1:])
    assert code == 0, err
    drawn = Path("report.html").read_text(encoding="utf-8")
    assert 'id="example-lengths"' in drawn
    assert "How long activations are" in drawn
    lengths = open_answer(open_store(example))
    assert all(f"{length:.3f}" in drawn for length in lengths)
    assert "How long activations are" not in ut.report(example).html


def open_answer(store: Store) -> list[float]:
    """Mean lengths as numpy counts them, of both layers."""
    run = store.run("example")
    ids = [f"clip{number:02d}" for number in range(48)]
    rows = (run.read_layer("resid.mean", layer, ids)[0] for layer in (0, 1))
    return [float((layer.astype("float64") ** 2).sum(axis=1).__pow__(0.5).mean()) for layer in rows]


def test_help_and_errors_list_the_plug_in(install_page: Callable[[str], Any], undertone: Run) -> None:
    install_page("own-figure")
    _, out, _ = undertone("report", "--help")
    assert "lengths" in out
    code, _, err = undertone("report", "s", "-o", "r.html", "--figure", "lenghts")
    assert code == 2
    assert "There is no figure 'lenghts'; it is overview, " in err
    assert "lengths" in err


@pytest.mark.usefixtures("on_example")
def test_the_plug_in_passes_the_tests_that_its_page_shows(
    install_page: Callable[[str], Any], conform: Conform
) -> None:
    assert len(conform(install_page("own-figure").conformance())) >= 5


BROKEN = """
import altair as alt
from jobs.report.page import Figure, Panel
from jobs.report.protocol import RunFigure
FIGURE = RunFigure(lambda answers, run: {})
"""
FAULTS = {
    "drawn by hand": "Figure('mine', 'a', 'b', (Panel('<svg><script/></svg>'),))",
    "remote": "Figure('mine', 'a', 'b', (Panel(alt.Chart('http://x/y.csv').mark_point()),))",
    "named": "Figure('mine', '', 'b')",
    "untrue": "Figure('mine', 'a', 'b', (), __import__('jobs').report.page.DataTable((), ()), 'SELECT 1')",
    "nothing": "None",
}


@pytest.mark.usefixtures("on_example")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_for_plug_ins_see_a_figure_that_breaks_a_rule(
    fault: str, install: Callable[..., Path], conform: Conform
) -> None:
    module = f"faulty_figure_{fault.replace(' ', '_')}"
    points = {"undertone.figures": {"faulty": f"{module}:FIGURE"}}
    install(module, "1.0", points, {module: BROKEN.format(FAULTS[fault])})
    with pytest.raises(AssertionError):
        conform(type("Faulty", (FigureConformance,), {"name": "faulty"}))


def test_a_figure_that_fails_is_told_with_its_distribution(
    install: Callable[..., Path], example: Path
) -> None:
    code = BROKEN.format("1 / 0")
    install(
        "my-figure", "0.3", {"undertone.figures": {"mine": "failing_figure:FIGURE"}}, {"failing_figure": code}
    )
    said = r"'mine' of my-figure 0\.3 cannot be drawn \(ZeroDivisionError"
    with pytest.raises(ut.UndertoneError, match=said):
        ut.report(example, figures=["mine"])
