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
from scipy.stats import sem, spearmanr, t

from store.catalog.catalog import refresh_catalog
from store.catalog.query import run_query
from store.objects.ledger import commit, never
from store.opening import Store, open_store

OLD, NEW = (datetime(2026, 11, day, tzinfo=UTC).replace(tzinfo=None) for day in (1, 2))
EFFECT = {
    "sweep": "ablation", "sweep_id": "s", "run_id": "r", "split": "all", "concept": "style", "source": "rock",
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
    commit(store.objects, f"results/{kind}/{part}.parquet", buffer.getvalue(), kind="results", sound=never)


def ask(store: Store, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(refresh_catalog(store), query).to_pylist()
    return rows


Transfers = Mapping[str, Sequence[float]]
"""Over layers, by target class."""


def sweep_of(
    accuracies: Sequence[float],
    transfers: Transfers | Mapping[str, Transfers],
    store: Store,
    split: str = "all",
) -> None:
    """Transfers of one concept or several, and probe accuracies of the layers, the same for all."""
    first = next(iter(transfers.values()))
    of_concepts: Any = transfers if isinstance(first, Mapping) else {"style": transfers}
    probes = [
        {**PROBE, "concept": concept, "layer": i, "accuracy": value}
        for concept in of_concepts
        for i, value in enumerate(accuracies)
    ]
    effects = [
        {**EFFECT, "concept": concept, "target": target, "layer": layer, "value": value, "split": split}
        for concept, own in of_concepts.items()
        for target, values in own.items()
        for layer, value in enumerate(values)
    ]
    write(store, "probes", probes)
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


def test_what_choosing_by_the_number_costs_is_told_by_the_half_that_chose_nothing(store: Store) -> None:
    accuracies = [0.5, 0.9, 0.7]
    halves = {
        "all": {"jazz": [0.2, 0.4, 0.2], "pop": [0.3, 0.1, 0.6]},
        "selection": {"jazz": [0.1, 0.5, 0.2], "pop": [0.3, 0.1, 0.6]},
        "evaluation": {"jazz": [0.9, 0.3, 0.2], "pop": [0.3, 0.2, 0.1]},
    }
    for part, transfers in halves.items():
        sweep_of(accuracies, transfers, store, part)
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["agreement"] == 0.5  # right for jazz
    assert row["regret"] == pytest.approx((0.0 + (0.1 - 0.2)) / 2)  # the best layer for pop was luck


def concepts(*correlated: Sequence[float]) -> dict[str, Transfers]:
    """A concept for each, of one pair."""
    return {f"concept{i}": {"target": values} for i, values in enumerate(correlated)}


UP, DOWN, MIXED = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.4, 0.3]


@pytest.mark.parametrize(
    ("transfers", "verdict"),
    [
        (concepts(UP, UP, UP, UP, MIXED), "yes"),
        (concepts(DOWN, DOWN, DOWN, DOWN, DOWN), "opposite"),
        (concepts(UP, UP, UP, DOWN, MIXED), "undecided"),
        (concepts(UP, UP, UP, UP), "undecided"),  # too few to tell
        ({"style": {f"class{i}": UP for i in range(12)}}, "undecided"),  # one concept, whatever its pairs
    ],
)
def test_the_verdict_is_undecided_where_the_interval_over_concepts_covers_zero_or_there_are_few(
    store: Store, transfers: dict[str, Transfers], verdict: str
) -> None:
    sweep_of([0.5, 0.6, 0.7, 0.8], transfers, store)
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["verdict"] == verdict
    assert row["concepts"] == len(transfers)


@pytest.mark.parametrize("count", [5, 6, 12])
def test_the_interval_is_students_over_the_means_of_concepts(store: Store, count: int) -> None:
    random = np.random.default_rng(count)
    transfers = {
        f"concept{i}": {f"class{j}": random.permutation(6).tolist() for j in range(1 + i % 3)}
        for i in range(count)
    }
    accuracies = [0.5, 0.6, 0.7, 0.75, 0.8, 0.9]
    sweep_of(accuracies, transfers, store)
    means = [
        np.mean([spearmanr(accuracies, values).statistic for values in own.values()])
        for own in transfers.values()
    ]
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    low, high = t.interval(0.95, count - 1, np.mean(means), sem(means))
    assert row["correlation"] == pytest.approx(np.mean(means))
    assert (row["low"], row["high"]) == pytest.approx((max(low, -1), min(high, 1)), abs=1e-3)


@pytest.mark.parametrize("count", [5, 6, 9])
def test_the_regret_has_students_interval_over_the_concepts_that_have_one(store: Store, count: int) -> None:
    random = np.random.default_rng(count)
    accuracies, names = [0.5, 0.9, 0.7], [f"concept{i}" for i in range(count)]
    whole, chosen, reported = random.uniform(0.0, 0.4, (3, count, 2, 3))
    parts = {
        "all": whole,
        "selection": chosen,
        "evaluation": reported[:-1],
    }  # the last has no prompts to report
    for part, values in parts.items():
        of_concepts = {
            name: dict(zip(("jazz", "pop"), own.tolist(), strict=True))
            for name, own in zip(names, values, strict=False)
        }
        sweep_of(accuracies, of_concepts, store, part)
    best = np.take_along_axis(reported, chosen.argmax(axis=-1)[..., np.newaxis], axis=-1)[..., 0]
    regrets = (best - reported[..., 1]).mean(axis=1)[:-1]
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["concepts"] == count
    assert row["regret"] == pytest.approx(regrets.mean())
    if count - 1 < 5:
        assert (row["regret_low"], row["regret_high"]) == (None, None)
    else:
        expected = t.interval(0.95, count - 2, regrets.mean(), sem(regrets))
        assert (row["regret_low"], row["regret_high"]) == pytest.approx(expected, abs=1e-3)


def test_layers_steered_together_and_other_parts_say_nothing_of_a_layer(store: Store) -> None:
    sweep_of([0.5, 0.6, 0.7], {"jazz": [0.1, 0.2, 0.3]}, store)
    write(store, "effects", [{**EFFECT, "layer": None, "value": 0.9}])
    write(store, "effects", [{**EFFECT, "layer": 0, "value": 0.9, "split": "selection"}])
    (row,) = ask(store, "FROM layer_choice WHERE predictor = 'probe_score'")
    assert row["correlation"] == pytest.approx(1.0)


def test_a_part_without_rows_leaves_the_catalog_whole(store: Store) -> None:
    schema = pa.schema([pa.field("kind", pa.string(), metadata={"comment": "of what"})])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([], schema=schema), buffer)
    commit(store.objects, "results/cross_effects/0.parquet", buffer.getvalue(), kind="results", sound=never)
    assert ask(store, "SELECT 1 AS one") == [{"one": 1}]
