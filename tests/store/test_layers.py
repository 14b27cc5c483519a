"""The view `layers` puts side by side what was fitted, and only what belongs together."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.ledger import commit, never
from store.opening import Store, open_store

PLACE = {
    "run_id": "r",
    "site": "resid",
    "reduction": "mean",
    "layer": 3,
    "concept": "genre",
    "labels_hash": "h",
}
OLD, NEW = (datetime(2026, 11, day, tzinfo=UTC).replace(tzinfo=None) for day in (1, 2))
SECOND = timedelta(seconds=1)
PROBE = {**PLACE, "probe_id": "p", "class": None, "loss": "mse", "accuracy": 0.7, "created_at": OLD}
CLUSTERING = {**PLACE, "k": 4, "scaling": "none", "inertia": 5.0, "ari": 0.3, "nmi": 0.4, "created_at": OLD}
VECTOR = {
    **PLACE, "vector_id": "v", "positive": "rock", "negative": None, "method": "diffmean",
    "separability": 2.0, "created_at": OLD,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "music.store", create=True)


def write(store: Store, kind: str, *rows: Mapping[str, Any]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    part = len(list(store.objects.versions(f"results/{kind}")))
    commit(store.objects, f"results/{kind}/{part}.parquet", buffer.getvalue(), kind="results", sound=never)


def layers(store: Store, columns: str = "*") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(
        refresh_catalog(store), f"SELECT {columns} FROM layers ORDER BY ALL"
    ).to_pylist()
    return rows


def one(store: Store, *names: str) -> tuple[Any, ...]:
    (row,) = layers(store, ", ".join(names))
    return tuple(row[name] for name in names)


def test_it_is_there_and_empty_before_anything_was_fitted(store: Store) -> None:
    assert layers(store) == []


@pytest.mark.parametrize("kinds", [("probes",), ("clusterings",), ("vectors",), ("vectors", "probes")])
def test_each_kind_of_result_alone_gives_the_row(store: Store, kinds: Sequence[str]) -> None:
    for kind in kinds:
        write(store, kind, {"probes": PROBE, "clusterings": CLUSTERING, "vectors": VECTOR}[kind])
    found = one(store, "score", "ari", "separability", *PLACE)
    expected = [("probes", 0.7), ("clusterings", 0.3), ("vectors", 2.0)]
    assert found == (*(value if kind in kinds else None for kind, value in expected), *PLACE.values())


def test_results_of_the_same_place_and_labels_stand_in_one_row(store: Store) -> None:
    write(store, "probes", PROBE, {**PROBE, "layer": 4, "accuracy": 0.8})
    write(store, "clusterings", CLUSTERING)
    write(store, "vectors", VECTOR, {**VECTOR, "layer": 4, "separability": 2.5})
    assert layers(store, "layer, score, ari, separability") == [
        {"layer": 3, "score": 0.7, "ari": 0.3, "separability": 2.0},
        {"layer": 4, "score": 0.8, "ari": None, "separability": 2.5},
    ]


@pytest.mark.parametrize("column", ["run_id", "site", "reduction", "concept", "labels_hash"])
def test_results_of_another_place_or_other_labels_do_not_mix(store: Store, column: str) -> None:
    write(store, "probes", PROBE)
    write(store, "clusterings", {**CLUSTERING, column: "other"})
    assert sorted(str(row["ari"]) for row in layers(store, "score, ari")) == ["0.3", "None"]


def test_each_loss_has_a_row_of_its_own(store: Store) -> None:
    write(store, "probes", PROBE, {**PROBE, "loss": "logistic", "accuracy": 0.6})
    write(store, "clusterings", CLUSTERING)
    assert layers(store, "loss, score, ari") == [
        {"loss": "logistic", "score": 0.6, "ari": 0.3},
        {"loss": "mse", "score": 0.7, "ari": 0.3},
    ]


def test_rows_of_single_classes_do_not_count(store: Store) -> None:
    write(store, "probes", PROBE, {**PROBE, "class": "rock", "accuracy": 0.99, "created_at": NEW})
    assert one(store, "score") == (0.7,)


def test_the_newest_fit_counts(store: Store) -> None:
    write(store, "probes", PROBE, {**PROBE, "accuracy": 0.5, "created_at": NEW})
    write(store, "clusterings", {**CLUSTERING, "ari": 0.1, "created_at": NEW}, CLUSTERING)
    write(store, "vectors", VECTOR, {**VECTOR, "separability": 1.0, "created_at": NEW})
    assert one(store, "score", "ari", "starts", "separability", "directions") == (0.5, 0.1, 1, 1.0, 1)


def test_numbers_have_r2_for_a_score(store: Store) -> None:
    tempo = {"accuracy": None, "r2": 0.6, "r2_low": 0.5, "r2_high": 0.7}
    write(store, "probes", {**PROBE, **tempo})
    assert one(store, "metric", "score", "score_low", "score_high") == ("r2", 0.6, 0.5, 0.7)


def test_the_best_handcrafted_features_stand_beside_every_layer_of_the_same_loss(store: Store) -> None:
    nowhere = {"reduction": None, "layer": None}
    write(
        store,
        "probes",
        PROBE,
        {**PROBE, "layer": 4},
        {**PROBE, "loss": "logistic"},
        {**PROBE, "site": "mel", "accuracy": 0.55, **nowhere},
        {**PROBE, "site": "chroma", "accuracy": 0.65, **nowhere},
    )
    assert layers(store, "layer, loss, handcrafted, handcrafted_site") == [
        {"layer": 3, "loss": "logistic", "handcrafted": None, "handcrafted_site": None},
        {"layer": 3, "loss": "mse", "handcrafted": 0.65, "handcrafted_site": "chroma"},
        {"layer": 4, "loss": "mse", "handcrafted": 0.65, "handcrafted_site": "chroma"},
    ]


def test_of_many_starts_the_one_of_lowest_inertia_speaks_and_the_spread_is_kept(store: Store) -> None:
    numbers = np.random.default_rng(3).random((7, 3))
    starts = [
        {"start_seed": seed, "inertia": inertia, "ari": ari, "nmi": nmi, "created_at": OLD + seed * SECOND}
        for seed, (inertia, ari, nmi) in enumerate(numbers.tolist())
    ]
    write(store, "clusterings", *({**CLUSTERING, **start} for start in starts))
    best = numbers[numbers[:, 0].argmin()]
    found = one(store, "ari", "nmi", "ari_low", "ari_high", "starts")
    assert found == (best[1], best[2], numbers[:, 1].min(), numbers[:, 1].max(), 7)


SETTINGS = {"classes": 4, "silhouette": 0.5}


def test_all_layers_show_the_setting_that_most_of_them_were_clustered_with(store: Store) -> None:
    """Another k or scaling is another measure: two of them side by side would compare nothing."""
    everywhere = [{**CLUSTERING, **SETTINGS, "layer": layer, "ari": 0.1 * layer} for layer in (1, 2, 3)]
    one_site = {"k": 12, "scaling": "zscore", "silhouette": 0.9, "ari": 0.95, "created_at": NEW}
    write(store, "clusterings", *everywhere)
    write(store, "clusterings", *({**row, **one_site} for row in everywhere[:2]))
    assert layers(store, "layer, k, scaling, ari") == [
        {"layer": layer, "k": 4, "scaling": "none", "ari": pytest.approx(0.1 * layer)} for layer in (1, 2, 3)
    ]
    write(store, "clusterings", *({**everywhere[2], **one_site, "layer": layer} for layer in (3, 4)))
    assert layers(store, "layer, k, ari") == [
        {"layer": layer, "k": 12, "ari": 0.95} for layer in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        ({"k": 5, "silhouette": 0.9}, (4, "none")),
        ({"scaling": "zscore", "silhouette": 0.9}, (4, "none")),
        ({"k": 5, "silhouette": 0.9, "classes": 7}, (5, "none")),
    ],
)
def test_of_equally_frequent_settings_the_classes_then_no_scaling_then_the_silhouette_decide(
    store: Store, other: dict[str, Any], shown: tuple[int, str]
) -> None:
    first = {**CLUSTERING, **SETTINGS, "classes": other.get("classes", 4)}
    write(store, "clusterings", first, {**first, **other, "created_at": NEW})
    assert one(store, "k", "scaling") == shown


def test_the_best_start_and_the_chosen_k_follow_from_all_that_is_stored(store: Store) -> None:
    """Two commands, the second with another k and with more starts: one best per k, one chosen per layer."""
    first = [
        {**CLUSTERING, "k": k, "start_seed": seed, "inertia": 10.0 - seed, "silhouette": silhouette}
        for k, silhouette in ((2, 0.4), (3, 0.6))
        for seed in (0, 1)
    ]
    query = "SELECT k, start_seed, best, chosen FROM clusterings WHERE best ORDER BY k"

    def flags() -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in run_query(refresh_catalog(store), query).to_pylist()]

    write(store, "clusterings", *first)
    assert flags() == [(2, 1, True, False), (3, 1, True, True)]
    better = {**first[0], "start_seed": 7, "inertia": 1.0, "silhouette": 0.7, "created_at": NEW}
    write(store, "clusterings", better, {**better, "k": 4, "silhouette": 0.5})
    assert flags() == [(2, 7, True, True), (3, 1, True, False), (4, 7, True, False)]


def test_separability_is_the_mean_over_the_concept_and_random_directions_are_its_control(
    store: Store,
) -> None:
    write(
        store,
        "vectors",
        VECTOR,
        {**VECTOR, "positive": "jazz", "separability": 4.0},
        {**VECTOR, "method": "mse", "separability": 9.0},
        {**VECTOR, "method": "random", "separability": 0.25},
    )
    columns = ("direction_method", "directions", "separability", "random_separability")
    assert one(store, *columns) == ("diffmean", 2, 3.0, 0.25)


def test_a_column_of_an_unexpected_type_does_not_take_the_catalog_away(store: Store) -> None:
    write(store, "probes", {**PROBE, "accuracy": "very good"})
    write(store, "clusterings", {"name": "from another program"})
    assert one(store, "score") == (None,)
