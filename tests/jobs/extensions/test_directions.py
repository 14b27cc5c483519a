"""Methods of directions: the plug-in of the documentation, and those built in, by the same tests."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import undertone as ut
from analysis.directions.fitting import METHODS, split_method
from jobs.directions.fitting import parse_methods
from jobs.directions.stored import read_vectors
from store import Store
from store.errors import BrokenPlugin, InvalidInput
from undertone_testing.directions import DirectionConformance, planted

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]


def test_the_plug_in_of_the_documentation_is_short_and_fits_a_run(
    install_page: Callable[[str], Any],
    planted_store: Store,
    tmp_path: Path,
    undertone: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = install_page("own-direction")
    assert page.code.count("\n") < 60
    shutil.move(planted_store.url, tmp_path / "music.store")
    monkeypatch.chdir(tmp_path)
    (line,) = page.commands
    words = [*shlex.split(line)[1:], "--sites", "attn", "--layers", "2", "--engine", "inline"]
    code, out, err = undertone(*words, "--format", "json")
    assert code == 0, err
    assert json.loads(out)["fitted"] == 2 * 3
    store = ut.open_store("music.store")
    (found,) = read_vectors(store.opened, "method = 'median' AND positive = 'jazz'")
    rows, clip_ids = store.opened.run("toy").read_layer("attn.mean", 2)
    jazz = np.array([int(clip.removeprefix("clip")) % 30 % 3 == 1 for clip in clip_ids])
    difference = np.median(rows[jazz], axis=0) - np.median(rows[~jazz], axis=0)
    np.testing.assert_allclose(found.vector * found.norm, difference, atol=1e-4)
    assert found.score is not None
    assert found.score > 0.9


def test_help_and_errors_list_the_plug_in(install_page: Callable[[str], Any], undertone: Run) -> None:
    install_page("own-direction")
    _, out, _ = undertone("directions", "--help")
    assert "random|median]" in out
    with pytest.raises(InvalidInput, match=r"no method 'medain'; methods are mse, .*random, median, or all"):
        split_method("medain")
    with pytest.raises(InvalidInput, match=r"'median:0\.1' cannot be read: mse and logistic take a penalty"):
        split_method("median:0.1")


MEAN = """
from analysis.directions.fits import on_rows
METHOD = on_rows(lambda rows, positive: {})
"""


def test_another_version_of_a_plug_in_is_another_direction(
    install: Callable[..., Path], planted_store: Store
) -> None:
    points = {"undertone.directions": {"mine": "mine_1:METHOD"}}
    install("mine", "1.0", points, {"mine_1": MEAN.format("rows[positive].mean(axis=0)")})
    run = ut.open_store(planted_store.url).run("toy")

    def fit() -> dict[str, Any]:
        found = ut.directions(
            run, labels="SELECT clip_id, style FROM clips", method="mine", sites="attn", layers=2
        )
        return {one.vector_id: one.vector for one in found if one.vector_id}

    first, again = fit(), fit()
    assert first.keys() == again.keys()
    points = {"undertone.directions": {"mine": "mine_2:METHOD"}}
    install("mine", "1.1", points, {"mine_2": MEAN.format("-rows[positive].mean(axis=0)")})
    second = fit()
    assert len(second) == 3
    assert first.keys().isdisjoint(second)


def test_all_means_what_is_built_in(install_page: Callable[[str], Any]) -> None:
    install_page("own-direction")
    X, positive, _ = planted(6, 3.0)
    found = ut.directions(X, np.where(positive, "jazz", "rock"), method="all", pairs=[("rock", "jazz")])
    assert {one.method for one in found} == set(METHODS)


def test_a_method_that_gives_no_vector_of_the_features_is_told_so(install: Callable[..., Path]) -> None:
    code = "from analysis.directions.fits import DirectionMethod, Fit\nimport numpy as np\n"
    code += "METHOD = DirectionMethod(lambda problem, strength: Fit(np.zeros((1, 2)), np.zeros((4, 1, 2))))\n"
    install(
        "short", "1.0", {"undertone.directions": {"short": "short_vectors:METHOD"}}, {"short_vectors": code}
    )
    X, positive, _ = planted(6, 3.0)
    with pytest.raises(
        BrokenPlugin, match=r"'short' of short 1.0: it gave vectors of shape \(1, 2\).* 1 of 6 numbers"
    ):
        ut.directions(X, positive, method="short", pairs=[("False", "True")])


def test_a_plug_in_with_a_name_that_is_built_in_stops_those_alone_who_write_it(
    install: Callable[..., Path],
) -> None:
    entries = {"undertone.directions": {"diffmean": "taken:METHOD", "all": "taken:METHOD"}}
    install("taken", "1.0", entries, {"taken": "METHOD = 1"})
    X, positive, _ = planted(6, 3.0)
    ut.directions(X, positive, method="mse", pairs=[("False", "True")])
    assert parse_methods("all") == METHODS
    with pytest.raises(InvalidInput, match=r"'diffmean' is given by undertone itself and taken 1\.0"):
        parse_methods("diffmean")


def test_the_plug_in_passes_the_tests_that_its_page_shows(
    install_page: Callable[[str], Any], conform: Conform
) -> None:
    assert len(conform(install_page("own-direction").conformance())) >= 8


@pytest.mark.parametrize("method", METHODS)
def test_built_in_methods_pass_the_tests_for_plug_ins(method: str, conform: Conform) -> None:
    kind = type("BuiltIn", (DirectionConformance,), {"name": method, "finds": method != "random"})
    assert len(conform(kind)) >= 8


FAULTS = {
    "backwards": "rows[~positive].mean(axis=0) - rows[positive].mean(axis=0)",
    "drawn": "__import__('numpy').random.standard_normal(rows.shape[1])",
    "zero": "0 * rows[0]",
    "counting": "rows[positive].mean(axis=0) + len(rows) * rows[positive][0]",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_for_plug_ins_see_a_method_that_breaks_a_rule(
    fault: str, conform: Conform, install: Callable[..., Path]
) -> None:
    module = f"faulty_{fault}"
    code = MEAN.format(FAULTS[fault])
    install(module, "1.0", {"undertone.directions": {"faulty": f"{module}:METHOD"}}, {module: code})
    with pytest.raises(AssertionError):
        conform(type("Faulty", (DirectionConformance,), {"name": "faulty"}))
