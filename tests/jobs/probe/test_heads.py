"""Attention heads are probed and given directions one by one, as if each were a run of its own."""

from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from jobs.cli.main import undertone
from jobs.directions.fitting import run_directions
from jobs.directions.options import DirectionOptions
from jobs.directions.overlap import overlap_rows
from jobs.directions.stored import read_vectors
from jobs.probe.options import ProbeOptions
from jobs.probe.report import best_layers
from jobs.probe.running import Probed, probe_run
from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.errors import NotFound
from store.opening import Store
from store.results.fits import PROBES

STYLE = "SELECT clip_id, style FROM clips WHERE style <> 'ambient'"
MEASURES = ("accuracy", "accuracy_low", "control_accuracy", "roc_auc", "penalty")


def fit(store: Store, run: str, **options: Any) -> Probed:
    given: dict[str, Any] = {"engine": "inline", "handcrafted": False, "controls": 1} | options
    return probe_run(ProbeOptions(store.url, run, STYLE, **given))


def whole(probed: Probed) -> dict[Any, dict[str, Any]]:
    rows = probed.table.to_pylist()
    return {(row["layer"], row["head"], row["reduction"]): row for row in rows if row["class"] is None}


@pytest.mark.parametrize(("loss", "reduce"), [("mse", "mean,frames"), ("logistic", "mean")])
def test_a_head_scores_what_it_scores_as_a_run_of_its_own(
    planted_heads: Store, loss: str, reduce: str
) -> None:
    heads = whole(fit(planted_heads, "heads", heads="all", loss=loss, reduce=reduce))
    alone = whole(fit(planted_heads, "alone", loss=loss, reduce=reduce))
    assert len(heads) == 3 * len(alone)
    for (layer, _, reduction), row in alone.items():
        of_head = heads[layer, 0, reduction]
        assert (row["head"], of_head["head"], of_head["site"]) == (None, 0, "head")
        for name in MEASURES:
            assert of_head[name] == pytest.approx(row[name], abs=1e-9), name


def test_the_best_head_is_told_and_the_view_of_layers_keeps_to_whole_sites(planted_heads: Store) -> None:
    one_by_one = fit(planted_heads, "heads", heads="all", reduce="mean")
    (best,) = best_layers(PROBES.rows(one_by_one.table))
    assert (best.layer, best.head) == (1, 0)
    assert fit(planted_heads, "heads", heads="0-2", reduce="mean").fitted == 0
    fit(planted_heads, "heads", reduce="mean")
    catalog = refresh_catalog(planted_heads)
    layers = run_query(catalog, "SELECT layer FROM layers WHERE score IS NOT NULL ORDER BY layer").to_pylist()
    assert layers == [{"layer": 0}, {"layer": 1}]
    counted = "SELECT count(*) AS n, count(head) AS of_heads FROM probes WHERE class IS NULL"
    assert run_query(catalog, counted).to_pylist() == [{"n": 8, "of_heads": 6}]


def test_directions_of_heads_are_those_of_runs_of_their_own_and_compared_among_themselves(
    planted_heads: Store,
) -> None:
    for run, heads in (("heads", "all"), ("heads", ""), ("alone", "")):
        options = DirectionOptions(
            planted_heads.url, run, STYLE, methods="diffmean,random", heads=heads, engine="inline"
        )
        run_directions(options)
    found = read_vectors(planted_heads, "method = 'diffmean' AND reduction = 'mean'")
    by_place = {(one.run_id, one.layer, one.head, one.positive): one for one in found}
    assert len(by_place) == 3 * 2 * (3 + 1 + 1)
    for (run, layer, _, positive), one in by_place.items():
        if run == "alone":
            of_head = by_place["heads", layer, 0, positive]
            assert (of_head.width, one.width) == (4, 4)
            np.testing.assert_allclose(of_head.vector, one.vector, atol=1e-6)
            assert of_head.score == pytest.approx(one.score, abs=1e-9)
    places = {(row["run_id"], row["layer"], row["directions"]) for row in overlap_rows(found)}
    assert {count for *_, count in places} == {3}
    widths = "SELECT DISTINCT head, width FROM cosines WHERE run_id = 'heads' ORDER BY head NULLS LAST"
    assert run_query(refresh_catalog(planted_heads), widths).to_pylist() == [
        *({"head": head, "width": 4} for head in range(3)),
        {"head": None, "width": 12},
    ]


def test_heads_and_arrays_of_a_layer_are_not_counted_as_layers(planted_heads: Store) -> None:
    asked = ["directions", planted_heads.url, "heads", "--labels", STYLE, "--engine", "inline"]
    chosen = ["--method", "diffmean", "--layers", "1", "--heads", "all"]
    assert "9 directions of 1 layer (3 heads); see" in CliRunner().invoke(undertone, [*asked, *chosen]).stdout


@pytest.mark.parametrize(
    ("run", "heads", "message"),
    [("heads", "3", "head.mean of runs/heads has no head 3; it has 0–2"), ("alone", "all", "with heads")],
)
def test_heads_that_a_run_lacks_are_refused(planted_heads: Store, run: str, heads: str, message: str) -> None:
    with pytest.raises(NotFound, match=message):
        fit(planted_heads, run, heads=heads)
