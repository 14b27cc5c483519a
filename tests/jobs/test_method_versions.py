"""What ids hold of methods, and what a store keeps of results from before methods had versions."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from analysis.concepts import LOSSES
from analysis.directions import estimators
from analysis.directions.fitting import METHODS
from analysis.probes import methods as probes
from analysis.probes.methods import ProbeMethod
from jobs.directions.fitting import code_of
from jobs.kmeans import work
from jobs.method_versions import FIRST_VERSIONS, Kind, classifier_id, methods_id
from jobs.probe import kept, plan
from jobs.probe.kept import factors_key
from store.extensions import PROBES


def test_first_versions_stand_in_ids_as_the_hashes_that_stores_hold() -> None:
    assert set(FIRST_VERSIONS) == set(get_args(Kind))
    assert code_of("diffmean") == "19f4fff1bae81a2c"
    assert code_of("mse:0.1", "text_directions") == "38a22a26971e7ba9"
    assert work._methods() == "8f485324998fef0e"
    assert factors_key("moments/a/resid.npy") == "moments/a/resid.factors-1375c02a.npy"


def test_a_raised_version_makes_another_id_of_its_method_alone() -> None:
    assert methods_id("probes", ridge=2, scores=1) == "probes ridge:2"
    assert methods_id("probes", logistic=1, scores=1) == FIRST_VERSIONS["probes"]
    assert methods_id("probes", ridge=2, scores=3) == "probes ridge:2 scores:3"


def test_a_method_that_is_told_apart_later_changes_no_id() -> None:
    assert methods_id("probes", ridge=2, scores=1, intervals=1) == methods_id("probes", ridge=2, scores=1)


def _moments_key() -> str:
    source = SimpleNamespace(prefix="runs/a", array="resid.mean", layer=3, head=None)
    planned = SimpleNamespace(committed={"runs/a": "0"})
    return kept.moments_key(planned, "rows", source)  # type: ignore[arg-type]


IDS: dict[str, tuple[Callable[[], str], ...]] = {
    "analysis.directions.separation": (
        lambda: code_of("mse"),
        lambda: code_of("diffmean"),
        lambda: code_of("pca", "text_directions"),
    ),
    "analysis.clustering.kmeans": (work._methods,),
    "analysis.clustering.minibatch": (lambda: work._methods(20),),
    "analysis.clustering.scores": (work._methods,),
    "analysis.clustering.scaling": (work._methods,),
    "analysis.linear.moments": (lambda: factors_key("moments/a/resid.npy"), _moments_key),
    "analysis.linear.tridiagonal": (lambda: factors_key("moments/a/resid.npy"),),
    "analysis.linear.ridge": (lambda: plan._methods_of("mse"),),
    "analysis.probes.feature_classifier": (
        lambda: classifier_id("feature_classifier"),
        lambda: classifier_id("held_out_probe"),
    ),
    "analysis.probes.scores": (lambda: plan._methods_of("mse"), lambda: plan._methods_of("logistic")),
}


@pytest.mark.parametrize("module", IDS)
def test_a_raised_version_stands_in_every_id_of_what_it_computes(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "cells_digest", lambda coverage: coverage)
    before = [identity() for identity in IDS[module]]
    monkeypatch.setattr(f"{module}.VERSION", 2)
    after = [identity() for identity in IDS[module]]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_raised_version_of_a_method_of_directions_is_of_that_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {name: code_of(name) for name in METHODS}
    monkeypatch.setattr(estimators, "DIFFMEAN", replace(estimators.DIFFMEAN, version=2))
    assert {name for name in METHODS if code_of(name) != before[name]} == {"diffmean"}


def test_a_raised_version_of_a_probe_is_of_that_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {plan._methods_of(loss) for loss in LOSSES} == {"3dd20a70d6a8f82a"}, "as stores hold it"
    monkeypatch.setattr(probes, "LOGISTIC_OVR", replace(probes.LOGISTIC_OVR, version=2))
    raised = {loss for loss in LOSSES if plan._methods_of(loss) != "3dd20a70d6a8f82a"}
    assert raised == {"logistic_ovr"}


def test_a_probe_that_is_registered_anew_has_a_version_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    built_in: Any = PROBES.built_in
    monkeypatch.setitem(built_in, "nearest", (f"{probes.__name__}:NEAREST", "the nearest mean"))
    monkeypatch.setattr(probes, "NEAREST", ProbeMethod(probes.LOGISTIC.predict, version=3), raising=False)
    assert plan._methods_of("nearest") == "probes method:3"
