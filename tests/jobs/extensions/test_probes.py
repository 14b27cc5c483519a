"""Probes of classes: the plug-in of the documentation, and the logistic ones, by the same tests."""

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

import undertone as ut
from analysis.splits import group_folds
from store import Store
from store.extensions import PROBES
from undertone_testing.probes import ProbeConformance

Run = Callable[..., tuple[int, str, str]]
Conform = Callable[[type], list[str]]
LABELS = "SELECT clip_id, style FROM clips"


def test_the_plug_in_of_the_documentation_is_short_and_probes_a_run(
    install_page: Callable[[str], Any],
    planted_store: Store,
    tmp_path: Path,
    undertone: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = install_page("own-probe")
    assert page.code.count("\n") < 60
    shutil.move(planted_store.url, tmp_path / "music.store")
    monkeypatch.chdir(tmp_path)
    (line,) = page.commands
    words = [*shlex.split(line)[1:], "--sites", "attn", "--layers", "1", "--reduce", "mean"]
    code, _, err = undertone(*words, "--controls", "2", "--no-handcrafted", "--engine", "inline")
    assert code == 0, err
    store = ut.open_store("music.store")
    query = "SELECT accuracy, penalty FROM probes WHERE class IS NULL AND loss = 'nearest'"
    (row,) = store.sql(query).arrow().to_pylist()
    X, y, groups = store.run("toy").table("attn.mean", 1, labels=LABELS)
    folds = group_folds(groups, 5)
    right = [
        NearestCentroid().fit(X[folds != fold], y[folds != fold]).predict(X[folds == fold])
        == y[folds == fold]
        for fold in range(5)
    ]
    assert row["accuracy"] == pytest.approx(np.concatenate(right).mean())
    assert row["penalty"] is None
    of_arrays = ut.probe(X, y, groups=groups, loss="nearest", controls=2)
    assert of_arrays.score == pytest.approx(row["accuracy"])


def test_help_and_errors_list_the_plug_in(install_page: Callable[[str], Any], undertone: Run) -> None:
    install_page("own-probe")
    _, out, _ = undertone("probe", "--help")
    assert "[mse|logistic|logistic_ovr|nearest]" in out
    with pytest.raises(ut.InvalidInput, match=r"no loss 'nerest'; losses are mse, logistic.*, nearest\."):
        ut.probe(np.zeros((8, 2)), list("aabbaabb"), loss="nerest")


PROBE = """
import numpy as np
from analysis.probes.methods import on_rows
PROBE = on_rows(lambda rows, codes, classes, held_out: {})
"""
EQUAL = "np.ones((len(held_out), classes))"


def test_another_version_of_a_plug_in_is_another_probe(
    install: Callable[..., Path], planted_store: Store
) -> None:
    run = ut.open_store(planted_store.url).run("toy")

    def ids(version: str) -> set[str]:
        module = f"probe_{version.replace('.', '_')}"
        install(
            "mine", version, {"undertone.probes": {"mine": f"{module}:PROBE"}}, {module: PROBE.format(EQUAL)}
        )
        ut.probe(
            run,
            labels=LABELS,
            loss="mine",
            sites="attn",
            layers=2,
            reductions="mean",
            controls=0,
            handcrafted=False,
        )
        rows = (
            ut.open_store(planted_store.url).sql("SELECT DISTINCT probe_id FROM probes").arrow().to_pylist()
        )
        return {row["probe_id"] for row in rows}

    first = ids("1.0")
    assert len(first) == 1
    assert len(ids("1.1") - first) == 1


def test_the_plug_in_passes_the_tests_that_its_page_shows(
    install_page: Callable[[str], Any], conform: Conform
) -> None:
    assert len(conform(install_page("own-probe").conformance())) >= 8


@pytest.mark.parametrize("name", list(PROBES.built_in))
def test_built_in_probes_pass_the_tests_for_plug_ins(name: str, conform: Conform) -> None:
    assert len(conform(type("BuiltIn", (ProbeConformance,), {"name": name}))) >= 8


FAULTS = {
    "equal": EQUAL,
    "drawn": "np.random.standard_normal((len(held_out), classes))",
    "few": "np.eye(codes.max() + 1)[np.abs(held_out).argmax(axis=1) % 2]",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_for_plug_ins_see_a_probe_that_breaks_a_rule(
    fault: str, install: Callable[..., Path], conform: Conform
) -> None:
    module = f"faulty_probe_{fault}"
    points = {"undertone.probes": {"faulty": f"{module}:PROBE"}}
    install(module, "1.0", points, {module: PROBE.format(FAULTS[fault])})
    with pytest.raises((AssertionError, ut.UndertoneError)):
        conform(type("Faulty", (ProbeConformance,), {"name": "faulty"}))
