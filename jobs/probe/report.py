"""Print what `undertone probe` found: the best layer of each site beside its controls."""

import json
from collections.abc import Sequence
from typing import Any

import click

from jobs.fitting.printing import best_text, layer_text, number
from jobs.probe.running import Probed
from jobs.terminal.tables import to_json
from jobs.terminal.text import columns, tell, wrapped
from store.errors import counted
from store.results.fits import PROBES, ProbeRow

WIDTH = 140
KEPT = (
    "score", "95 %", "shuffled", "verdict", "layer", "site", "concept", "loss", "measure", "baseline",
    "balanced",
)  # fmt: skip
"""Columns by importance, for a narrow terminal."""


def print_probed(probed: Probed, format_: str) -> None:
    """Print notes on standard error, and the result as a table for eyes or as one JSON object."""
    for note in probed.notes:
        tell(f"Note: {note}")
    best = best_layers(PROBES.rows(probed.table))
    summary = {
        "run": probed.plan.labels.run_id,
        "labels_hash": probed.plan.labels.labels_hash,
        "clips": len(probed.plan.labels.clip_ids),
        "fitted": probed.fitted,
        "known": probed.known,
    }
    if format_ == "json":
        records = json.loads(to_json(PROBES.of(best).to_pylist()))
        click.echo(json.dumps(summary | {"notes": probed.notes, "best": records}))
        return
    click.echo(best_text([_shown(row) for row in best], KEPT, width=columns(WIDTH)), nl=False)
    click.echo(wrapped(_work_line(probed)))


def best_layers(rows: Sequence[ProbeRow]) -> list[ProbeRow]:
    """The best layer, or layer and head, of each site, reduction, loss and concept."""
    best: dict[tuple[Any, ...], ProbeRow] = {}
    for row in rows:
        if row.class_ is None:
            place = row.concept, row.loss, row.site, row.reduction, row.head is None
            if place not in best or _score(row) > _score(best[place]):
                best[place] = row
    return sorted(best.values(), key=lambda row: (row.concept, row.loss, -_score(row)))


def _score(row: ProbeRow) -> float:
    score = row.r2 if row.classes is None else row.accuracy
    return float("-inf") if score is None else score


def _shown(row: ProbeRow) -> dict[str, Any]:
    """One line for eyes; what was not measured has no best layer."""
    is_class = row.classes is not None
    score, low, high = (
        (row.accuracy, row.accuracy_low, row.accuracy_high) if is_class else (row.r2, row.r2_low, row.r2_high)
    )
    measured = score is not None
    return {
        "concept": row.concept,
        "loss": row.loss,
        "site": row.site if row.reduction is None else f"{row.site}.{row.reduction}",
        "layer": layer_text(row.layer, row.head) if measured and row.layer is not None else "",
        "measure": "accuracy" if is_class else "R²",
        "score": number(score),
        "95 %": f"{number(low)} to {number(high)}" if measured else "",
        "balanced": number(row.balanced_accuracy) if is_class and measured else "",
        "baseline": number(row.baseline_accuracy if is_class or not measured else 0.0),
        "shuffled": f"{number(row.control_accuracy)} (to {number(row.control_high)})",
        "verdict": row.verdict,
    }


def _work_line(probed: Probed) -> str:
    if not probed.fitted:
        return f"Nothing to fit: {counted(probed.known, 'probe')} stored already (view probes)."
    already = f", {probed.known:,} stored already" if probed.known else ""
    return f"Fitted {counted(probed.fitted, 'probe')}{already}; see the views probes and layers."
