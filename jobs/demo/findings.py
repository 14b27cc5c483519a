"""Summarise in words what the demo found, computed from its results; the uncertain is called undecided."""

from collections.abc import Iterator, Mapping
from typing import Any

from store import open_store
from store.catalog.asking import Catalog

Row = Mapping[str, Any]

CURVES = """\
SELECT concept, metric, layer, score, score_low AS low, score_high AS high, handcrafted, verdict
FROM layers
WHERE site = 'resid' AND reduction = 'mean' AND loss = 'mse' AND run_id = $run AND score IS NOT NULL
ORDER BY concept, layer"""

TRANSFERS = """\
SELECT t.*, e.over_random_low
FROM transfers t LEFT JOIN effects e
    ON e.sweep_id = t.sweep_id AND e.setting_id = t.setting_id AND e.split = t.split AND e.scorer = t.scorer
    AND e.metric = 'transfer'
WHERE t.run_id = $run AND t.split = 'evaluation' AND t.chosen AND t.transfer IS NOT NULL
ORDER BY t.source, t.target, t.scorer != t.chosen_by, t.scorer"""

UNCHOSEN = """\
SELECT source, target, count(DISTINCT setting_id) AS settings
FROM effects WHERE run_id = $run AND setting_id IS NOT NULL
GROUP BY ALL HAVING NOT coalesce(bool_or(chosen), false) ORDER BY ALL"""


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
    transfers: dict[tuple[str, str], list[Row]] = {}
    for row in catalog.rows(TRANSFERS, run=run):
        transfers.setdefault((row["source"], row["target"]), []).append(row)
    yield from map(of_transfer, transfers.values())
    for row in catalog.rows(UNCHOSEN, run=run):
        yield (
            f"steering {row['source']} → {row['target']}: undecided. None of {row['settings']} settings "
            "moves towards the target farther than random directions do, within the limits of damage."
        )


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


def of_transfer(rows: list[Row]) -> str:
    """One pair at its chosen setting, to every scorer, on the prompts that did not choose it."""
    first = rows[0]
    beginning = "" if first["schedule"] == "constant" else f", {first['schedule']}"
    place = f"{_layers(first['layers'])}, α {first['alpha']:g}{beginning}"
    scored = "; ".join(map(_scored, rows))
    return f"steering {first['source']} → {first['target']} at {place}: {scored}. {_damage(first)}"


def _scored(row: Row) -> str:
    """What one scorer says of the target's probability, beside the controls."""
    sure = row["over_random_low"] is not None and row["over_random_low"] > 0 and row["low"] > 0
    asked = "" if row["prompt"] is None else f", asking in words {row['prompt']:.2f}"
    return (
        f"to {row['scorer']}, P({row['target']}) rises by {row['transfer']:.2f}{_interval(row)}, with random "
        f"directions {row['random']:.2f}{asked}: {'beyond chance' if sure else 'undecided'}"
    )


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


def _layers(layers: list[int]) -> str:
    return f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]}–{layers[-1]}"


def _interval(row: Row) -> str:
    return "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"


def _damage(row: Row) -> str:
    """Distance to recordings and movement, beside what happens without steering."""
    said = []
    if row["kad_clips"] is not None:
        controls = [
            f"{name} {row[f'kad_clips_{column}']:.1f}"
            for name, column in (("unsteered", "unsteered"), ("random", "random"), ("in words", "prompt"))
            if row[f"kad_clips_{column}"] is not None
        ]
        said.append(f"distance to recordings {row['kad_clips']:.1f} ({', '.join(controls)})")
    if row["variation"] is not None:
        moves = "a drone" if row["drone"] else "they still move"
        said.append(f"variation over time {row['variation']:.1f} dB (unsteered {_unsteered(row)}): {moves}")
    return f"Damage: {'; '.join(said)}." if said else "Damage was not measured."


def _unsteered(row: Row) -> str:
    return "–" if row["variation_unsteered"] is None else f"{row['variation_unsteered']:.1f}"
