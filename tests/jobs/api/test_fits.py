"""Directions, probes and clusters of runs and of arrays agree, and are found by what they are."""

from typing import Any

import numpy as np
import pytest

import undertone as ut
from store.opening import Store

LABELS = "SELECT clip_id, style FROM clips"


@pytest.fixture
def run(planted_store: Store) -> ut.Run:
    return ut.open_store(planted_store.url).run("toy")


def test_directions_of_a_run_are_found_by_class_site_and_layer(run: ut.Run) -> None:
    found = ut.directions(run, labels=LABELS, method=["diffmean", "random"], sites=["resid"], engine="inline")
    one = found["jazz", "resid.mean", 2, "diffmean"]
    assert (one.positive, one.negative, one.site, one.layer, one.method) == (
        "jazz",
        None,
        "resid",
        2,
        "diffmean",
    )
    assert one.score is not None
    assert one.score > 0.95
    assert one.within_random is False
    assert np.linalg.norm(one.vector) == pytest.approx(1)
    assert [one.layer for one in found.like("jazz", "diffmean")] == [0, 1, 2]
    with pytest.raises(ut.InvalidInput, match=r"may mean \d+ directions .* say more"):
        found["jazz", 2]
    with pytest.raises(ut.NotFound, match=r"no direction \('blues', 2\); keys are made of .*jazz"):
        found["blues", 2]


def test_directions_of_arrays_are_those_of_the_run(run: ut.Run) -> None:
    of_run = ut.directions(run, labels=LABELS, sites="resid", layers=2, engine="inline")["jazz", "resid.mean"]
    X, y, groups = run.table("resid.mean", 2, labels=LABELS)
    of_arrays = ut.directions(X, y, groups=groups)["jazz"]
    np.testing.assert_allclose(of_arrays.vector, of_run.vector, atol=1e-5)
    assert of_arrays.score == pytest.approx(of_run.score)
    assert of_arrays.interval == pytest.approx(of_run.interval)


def test_pairs_point_from_one_class_to_another(run: ut.Run) -> None:
    X, y, groups = run.table("resid.mean", 2, labels=LABELS)
    found = ut.directions(X, y, groups=groups, pairs=[("rock", "jazz"), ("jazz", "rock")])
    there, back = found["rock:jazz"], found["jazz:rock"]
    np.testing.assert_allclose(there.vector, -back.vector, atol=1e-6)
    means = {name: X[y == name].mean(axis=0) for name in ("rock", "jazz")}
    expected = means["jazz"] - means["rock"]
    np.testing.assert_allclose(there.vector, expected / np.linalg.norm(expected), atol=1e-5)
    with pytest.raises(ut.InvalidInput, match="are not two classes; classes are jazz, polka, rock"):
        ut.directions(X, y, groups=groups, pairs=[("rock", "blues")])


def test_directions_that_are_stored_are_read_back(run: ut.Run) -> None:
    ut.directions(run, labels=LABELS, sites="resid", layers=[1, 2], engine="inline")
    store = ut.open_store(run.store_url)
    found = ut.stored_directions(store, "layer = $layer AND positive = $name", layer=2, name="jazz")
    assert {(one.layer, one.positive) for one in found} == {(2, "jazz")}
    assert found[0].vector_id is not None
    assert "jazz" in found.table()["positive"]


def test_probes_of_a_run_name_the_best_layer(run: ut.Run) -> None:
    found = ut.probe(
        run, labels=LABELS, sites=["resid"], reductions="mean", handcrafted=False, engine="inline"
    )
    (best,) = found.best.rows()
    assert (best["layer"], best["verdict"]) == (2, "better than both")
    assert (found.fitted, found.known) == (3, 0)
    again = ut.probe(
        run, labels=LABELS, sites=["resid"], reductions="mean", handcrafted=False, engine="inline"
    )
    assert (again.fitted, again.known) == (0, 3)
    assert again.everything.arrow().equals(found.everything.arrow())


def test_clusters_of_a_run_and_of_arrays_agree_with_what_is_planted(run: ut.Run) -> None:
    found = ut.kmeans(run, labels=LABELS, sites="resid", layers=2, starts=3, engine="inline")
    (best,) = found.best.rows()
    X, y, _ = run.table("resid.mean", 2, labels=LABELS)
    own = ut.kmeans(X, y=y, starts=3)
    assert own.agreement is not None
    assert own.agreement.ari == pytest.approx(best["ari"])
    assert own.silhouette == pytest.approx(best["silhouette"])
    assert own.k == 3


def test_the_inertia_is_the_sum_of_squared_distances() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    found = ut.kmeans(X, 4, starts=2)
    distances = X - X.mean(axis=0) - found.centers[found.labels]
    assert found.inertia == pytest.approx(float((distances**2).sum()), rel=1e-4)
    assert len(found.inertias) == 2
    assert found.inertia == min(found.inertias)
    assert repr(found).startswith("Clusters(k 4: sizes ")


@pytest.mark.parametrize(
    ("function", "given", "options", "said"),
    [
        (ut.kmeans, ["X"], {}, "k is 0"),
        (ut.kmeans, ["X", 1000], {}, "k is 1000"),
        (ut.kmeans, ["X", range(2, 4)], {}, "k is one number"),
        (ut.kmeans, ["X", 2], {"y": ["jazz"]}, "120 rows and y 1"),
        (ut.kmeans, ["X", 2], {"scaling": "whiten"}, "none, zscore, l2, pca"),
        (ut.kmeans, ["run"], {}, "needs a query"),
        (ut.kmeans, ["run", range(2, 9, 2)], {"labels": LABELS}, "in steps of 1"),
        (ut.probe, ["run"], {}, "need a query"),
        (ut.probe, ["X"], {}, "needs labels"),
        (ut.directions, ["run"], {}, "need a query"),
        (ut.directions, ["X"], {}, "need labels"),
        (ut.directions, ["X", ["jazz"]], {}, "y 1 and groups 120"),
        (ut.directions, ["X", "y"], {"method": "means"}, "no method 'means'"),
        (ut.directions, ["run"], {"labels": LABELS, "layers": [-1]}, "whole numbers from 0 on"),
        (ut.directions, ["run"], {"labels": LABELS, "layers": [9]}, "no layer 9"),
        (ut.directions, ["run"], {"labels": LABELS, "sites": ["nose"]}, "of nose; it has"),
    ],
)
def test_arguments_that_do_not_fit_are_told(
    run: ut.Run, function: Any, given: list[Any], options: dict[str, Any], said: str
) -> None:
    X, y, _ = run.table("resid.mean", 2, labels=LABELS)
    known = {"run": run, "X": X, "y": y}
    arguments = [known[one] if isinstance(one, str) else one for one in given]
    with pytest.raises(ut.UndertoneError, match=said):
        function(*arguments, **options)
