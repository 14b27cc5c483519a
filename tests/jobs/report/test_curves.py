"""Figures say which methods and ways to steer they leave out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.report.answers import open_answers
from jobs.report.figures.layer_choice import choice_figure
from jobs.report.options import ReportOptions
from jobs.report.sweeps import Sweep
from jobs.report.writing import write_report
from store.opening import Store
from store.results.fits import VECTORS
from store.results.parts import write_results

Node = Any
REACH = {
    "diffmean": 1.0,
    "leace": 1.1,
    "logistic": 2.0,
    "mass_mean": 1.2,
    "mse": 1.9,
    "ours": 1.5,
    "random": 0.1,
}


def vectors() -> Iterator[dict[str, Any]]:
    for method, reach in REACH.items():
        for layer in range(8):
            yield {
                "run_id": "3f2a9c10", "site": "resid", "reduction": "mean", "layer": layer,
                "concept": "chord", "vector_id": f"{method}{layer}", "method": method,
                "positive": "major", "negative": "minor", "vector": [1.0, 0.0],
                "labels_hash": "hash of chord", "separability": reach * (layer + 1) / 8,
            }  # fmt: skip


@pytest.fixture
def page(unfitted_store: Store, tmp_path: Path, parse_page: Callable[[str], Node]) -> Node:
    """A report where directions alone were fitted, by more methods than there are colours."""
    table: pa.Table = pa.Table.from_pylist(list(vectors()), schema=VECTORS.schema())
    write_results(unfitted_store, "vectors", {"test": 1}, table)
    write_report(ReportOptions(unfitted_store.url, tmp_path / "report.html"))
    return parse_page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_methods_that_separate_best_are_drawn_and_the_others_are_named(page: Node) -> None:
    (figure,) = [
        one for one in page.all("figure") if str(one.attributes.get("id")).endswith("chord-directions")
    ]
    (points,) = figure.points()
    drawn = {point["series"]: point["y"] for point in points if point.get("x") == 7 and "series" in point}
    assert drawn == {name: REACH[name] for name in ("random", "diffmean", "logistic", "mse", "ours")}
    (caption,) = figure.all("figcaption")
    assert "only in the table: mass_mean, leace." in caption.text


def test_nothing_is_said_of_probes_where_there_are_none(page: Node) -> None:
    words = page.words()
    assert "can be read linearly" not in words
    assert "No probe is fitted" in words


@pytest.mark.parametrize(("most", "said"), [(8, ""), (3, "Drawn: 3 of 4 ways to steer")])
def test_ways_without_a_panel_are_counted(
    fitted_store: Store, monkeypatch: pytest.MonkeyPatch, most: int, said: str
) -> None:
    monkeypatch.setattr("jobs.report.figures.layer_choice.MOST_PANELS", most)
    figure = choice_figure(open_answers(fitted_store), Sweep("strength", "5eed", "clap"))
    assert figure is not None
    assert len(figure.panels) == min(most, 4)
    assert said in figure.caption
    assert ("Drawn" in figure.caption) == bool(said)
