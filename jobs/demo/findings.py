"""Summarise in words what the demo found, computed from its results; the uncertain is called undecided."""

from collections.abc import Iterator, Mapping
from typing import Any

from jobs.report.words import of_steering
from store import open_store
from store.catalog.asking import Catalog

Row = Mapping[str, Any]

CURVES = """\
SELECT concept, metric, layer, score, score_low AS low, score_high AS high, handcrafted, verdict
FROM layers
WHERE site = 'resid' AND reduction = 'mean' AND loss = 'mse' AND run_id = $run AND score IS NOT NULL
ORDER BY concept, layer"""

MODELS = """\
SELECT
    concept, model, site, layer, score, score_low AS low, score_high AS high, l.run_id = $run AS own
FROM layers l JOIN runs USING (run_id)
WHERE loss = 'mse' AND score IS NOT NULL
QUALIFY 1 = row_number() OVER (PARTITION BY concept, model ORDER BY score DESC, layer, site)
ORDER BY concept, own DESC, model"""


def findings(store: str, run: str) -> Iterator[str]:
    """Sentences about the layers and about steering."""
    catalog = Catalog.of(open_store(store))
    curves: dict[str, list[Row]] = {}
    for row in catalog.rows(CURVES, run=run):
        curves.setdefault(row["concept"], []).append(row)
    yield from map(of_curve, curves.values())
    models: dict[str, list[Row]] = {}
    for row in catalog.rows(MODELS, run=run):
        models.setdefault(row["concept"], []).append(row)
    yield from (of_models(rows) for rows in models.values() if len(rows) > 1)
    yield from of_steering(catalog.rows, run).values()


def of_curve(rows: list[Row]) -> str:
    """One concept over the layers."""
    first, best = rows[0], max(rows, key=lambda row: row["score"])
    metric = "R²" if first["metric"] == "r2" else "accuracy"
    said = f"{first['concept']}: {metric} {_at(first)}"
    if best["layer"] != first["layer"]:
        said += f" → {_at(best)}"
    return f"{said}. {_rise(first, best)}{_beside_features(best)}"


def of_models(rows: list[Row]) -> str:
    """One concept in the best layer of each model."""
    said = " and ".join(
        f"{row['model']} {row['score']:.2f} ({row['low']:.2f} to {row['high']:.2f}) at {row['site']} "
        f"{row['layer']}"
        for row in rows
    )
    first, second = sorted(rows, key=lambda row: row["score"], reverse=True)[:2]
    clear = first["low"] > second["high"]
    known = f"{first['model']} knows more" if clear else "which knows more is undecided"
    return f"{rows[0]['concept']} in the best layer of each model: {said}: {known}."


def _at(row: Row) -> str:
    return f"{row['score']:.2f} ({row['low']:.2f} to {row['high']:.2f}) at layer {row['layer']}"


def _rise(first: Row, best: Row) -> str:
    if best["low"] > first["high"]:
        return "It rises over the layers."
    return "Whether it rises is undecided: the intervals meet."


def _beside_features(best: Row) -> str:
    handcrafted = best["handcrafted"]
    if handcrafted is None:
        return ""
    if handcrafted < best["low"]:
        return f" The best handcrafted features reach {handcrafted:.2f}, less than the best layer."
    if handcrafted > best["high"]:
        return f" The best handcrafted features reach {handcrafted:.2f}, more than any layer."
    return f" The best handcrafted features reach {handcrafted:.2f}, too: no layer is surely better."
