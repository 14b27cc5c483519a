"""Print what `undertone directions` found: the layers where a method tells a concept's classes best."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from jobs.fitting.printing import Row, layer_text, number, print_best
from store.errors import counted

PLACE = ("concept", "method", "site", "reduction")
KEPT = ("mean AUC", "beyond random", "layer", "site", "method", "concept", "d′", "lowest")
"""Columns that are printed, by importance, for a narrow terminal."""


def best_layers(rows: Sequence[Row]) -> list[Row]:
    """The layer, or layer and head, of the best mean score of each concept, method, site and reduction."""
    layers: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        head = -1 if row["head"] is None else row["head"]
        layers.setdefault((*(row[name] for name in PLACE), row["layer"], head), []).append(row)
    best: dict[tuple[Any, ...], Row] = {}
    for (*place, layer, head), same in sorted(layers.items()):
        of_head = {} if head < 0 else {"head": head}
        found = dict(zip(PLACE, place, strict=True)) | {"layer": layer} | of_head | _summary(same)
        key = (*place, head < 0)
        if _score(found) > _score(best.setdefault(key, found)):
            best[key] = found
    return sorted(best.values(), key=lambda row: (row["concept"], row["method"] == "random", -_score(row)))


def print_directions(summary: Mapping[str, Any], format_: str) -> None:
    """Print notes on standard error, and the result as a table for eyes or as one JSON object."""
    print_best(summary, format_, shown=_shown, keep=KEPT, work_line=_work_line(summary))


def _summary(rows: Sequence[Row]) -> Row:
    """Of the directions of one place and method."""
    scored = [row for row in rows if row["score"] is not None]
    apart = [row["separability"] for row in scored if row["separability"] is not None]
    weakest = min(scored, key=lambda row: (float(row["score"]), str(row["positive"])), default=None)
    return {
        "directions": len(rows),
        "score": fmean(row["score"] for row in scored) if scored else None,
        "lowest_score": weakest and weakest["score"],
        "lowest": weakest and weakest["positive"],
        "separability": fmean(apart) if apart else None,
        "beyond_random": sum(row["within_random"] is False for row in scored),
    }


def _score(row: Row) -> float:
    return float("-inf") if row["score"] is None else float(row["score"])


def _shown(row: Row) -> Row:
    """One line for eyes."""
    return {
        "concept": row["concept"],
        "method": row["method"],
        "site": f"{row['site']}.{row['reduction']}",
        "layer": layer_text(row["layer"], row.get("head")),
        "mean AUC": number(row["score"]),
        "lowest": "–" if row["lowest"] is None else f"{number(row['lowest_score'])} {row['lowest']}",
        "d′": number(row["separability"]),
        "beyond random": f"{row['beyond_random']} of {row['directions']}",
    }


def _work_line(summary: Mapping[str, Any]) -> str:
    if not summary["fitted"]:
        return f"Nothing to fit: {counted(summary['known'], 'direction')} stored already (view vectors)."
    already = f", {summary['known']:,} stored already" if summary["known"] else ""
    fitted = f"{counted(summary['fitted'], 'direction')} of {counted(summary['layers'], 'layer')}"
    return f"{fitted}{already}; see the view vectors."
