"""The views `effects` and `layer_choice`: the newest scores of a sweep, and what predicts a good layer."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from store.catalog import refresh_catalog
from store.opening import Store, open_store
from store.query import run_query

OLD, NEW = (datetime(2026, 11, day, tzinfo=UTC).replace(tzinfo=None) for day in (1, 2))
EFFECT = {
    "sweep": "ablation", "sweep_id": "s", "run_id": "r", "part": "all", "concept": "style", "source": "rock",
    "target": "jazz", "method": "diffmean", "site": "resid", "alpha": 0.5, "kind": "interpolate",
    "scaling": "norm", "schedule": "constant", "rows": "conditional", "scorer": "clap", "metric": "transfer",
    "created_at": OLD,
}  # fmt: skip
PROBE = {
    "run_id": "r", "site": "resid", "reduction": "mean", "concept": "style", "labels_hash": "h",
    "probe_id": "p", "class": None, "loss": "mse", "created_at": OLD,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "music.store", create=True)


def write(store: Store, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.BytesIO()
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), buffer)
    part = len(list(store.objects.versions(f"results/{kind}")))
    store.objects.create(f"results/{kind}/{part}.parquet", [buffer.getvalue()])


def ask(store: Store, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), query).to_pylist()
    return rows


def sweep_of(accuracies: Sequence[float], transfers: Mapping[str, Sequence[float]], store: Store) -> None:
    """Transfers over layers by target class, and probe accuracies of the layers."""
    write(store, "probes", [{**PROBE, "layer": i, "accuracy": value} for i, value in enumerate(accuracies)])
    effects = [
        {**EFFECT, "target": target, "layer": layer, "value": value}
        for target, values in transfers.items()
        for layer, value in enumerate(values)
    ]
    write(store, "effects", effects)


def test_both_are_there_and_empty_before_any_sweep(store: Store) -> None:
    assert ask(store, "FROM effects") == []
    assert ask(store, "FROM layer_choice") == []


def test_of_a_sweep_that_was_scored_again_the_newest_scores_count(store: Store) -> None:
    write(store, "effects", [{**EFFECT, "value": 0.1}, {**EFFECT, "sweep_id": "other", "value": 0.2}])
    write(store, "effects", [{**EFFECT, "value": 0.3, "created_at": NEW}])
    assert ask(store, "SELECT sweep_id, value FROM effects ORDER BY 1") == [
        {"sweep_id": "other", "value": 0.2},
        {"sweep_id": "s", "value": 0.3},
    ]


def test_the_correlation_is_spearmans_averaged_over_pairs(store: Store) -> None:
    accuracies = [0.5, 0.7, 0.7, 0.9, 0.6]  # with a tie
    transfers = {"jazz": [0.1, 0.3, 0.2, 0.25, 0.25], "pop": [0.0, -0.1, 0.4, 0.5, 0.1]}
    sweep_of(accuracies, transfers, store)
    expected = np.mean([spearmanr(accuracies, values).statistic for values in transfers.values()])
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["pairs"] == 2
    assert row["correlation"] == pytest.approx(expected)


def test_agreement_and_regret_tell_what_choosing_by_the_number_costs(store: Store) -> None:
    sweep_of([0.5, 0.9, 0.7], {"jazz": [0.1, 0.4, 0.2], "pop": [0.3, 0.1, 0.6]}, store)
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["agreement"] == 0.5  # right for jazz
    assert row["regret"] == pytest.approx((0.0 + 0.5) / 2)


@pytest.mark.parametrize(
    ("transfers", "verdict"),
    [
        ({f"c{i}": [0.1, 0.2, 0.3, 0.4] for i in range(4)}, "yes"),
        ({f"c{i}": [0.4, 0.3, 0.2, 0.1] for i in range(4)}, "opposite"),
        ({"a": [0.1, 0.2, 0.3], "b": [0.3, 0.2, 0.1], "c": [0.1, 0.3, 0.2]}, "undecided"),
        ({"alone": [0.1, 0.2, 0.3]}, "undecided"),
        ({f"c{i}": [0.1, 0.2, 0.3, 0.4] for i in range(3)}, "undecided"),  # too few to draw from
    ],
)
def test_the_verdict_is_undecided_where_the_interval_over_pairs_covers_zero(
    store: Store, transfers: dict[str, list[float]], verdict: str
) -> None:
    sweep_of([0.5, 0.6, 0.7, 0.8], transfers, store)
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["verdict"] == verdict


def test_layers_steered_together_and_other_parts_say_nothing_of_a_layer(store: Store) -> None:
    sweep_of([0.5, 0.6, 0.7], {"jazz": [0.1, 0.2, 0.3]}, store)
    write(store, "effects", [{**EFFECT, "layer": None, "value": 0.9}])
    write(store, "effects", [{**EFFECT, "layer": 0, "value": 0.9, "part": "choose"}])
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["correlation"] == pytest.approx(1.0)


def test_a_part_without_rows_leaves_the_catalog_whole(store: Store) -> None:
    schema = pa.schema([pa.field("kind", pa.string(), metadata={"comment": "of what"})])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([], schema=schema), buffer)
    store.objects.create("results/cross_effects/0.parquet", [buffer.getvalue()])
    assert ask(store, "SELECT 1 AS one") == [{"one": 1}]
