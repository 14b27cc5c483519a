"""Print what `undertone directions` found: the layers where a method tells a concept's classes best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from jobs.fitting.printing import Line, layer_text, number, print_best
from store.errors import counted
from store.results.fits import VectorRow

KEPT = ("mean AUC", "beyond random", "layer", "site", "method", "concept", "d′", "lowest")
"""Columns that are printed, by importance, for a narrow terminal."""


@dataclass(frozen=True, slots=True)
class BestLayer:
    """The layer where a method tells a concept's classes best, at one site."""

    concept: str
    method: str
    site: str
    reduction: str
    layer: int
    head: int | None
    """None: the layer as a whole."""
    directions: int
    score: float | None
    """Mean over the directions of the layer."""
    lowest_score: float | None
    lowest: str | None
    """Class of the direction with the lowest score."""
    separability: float | None
    """Mean over the directions of the layer."""
    beyond_random: int
    """How many directions do better than random ones."""


def best_layers(rows: Sequence[VectorRow]) -> list[BestLayer]:
    """The layer, or layer and head, of the best mean score of each concept, method, site and reduction."""
    layers: dict[tuple[str, str, str, str, int, int], list[VectorRow]] = {}
    for row in rows:
        head = -1 if row.head is None else row.head
        place = row.concept, row.method, row.site, row.reduction, row.layer, head
        layers.setdefault(place, []).append(row)
    best: dict[tuple[Any, ...], BestLayer] = {}
    for place, same in sorted(layers.items()):
        found, key = _summary(same), (*place[:4], place[5] < 0)
        if _score(found) > _score(best.setdefault(key, found)):
            best[key] = found
    return sorted(best.values(), key=lambda row: (row.concept, row.method == "random", -_score(row)))


def print_directions(summary: Mapping[str, Any], format_: str) -> None:
    """Print notes on standard error, and the result as a table for eyes or as one JSON object."""
    print_best(summary, format_, shown=_shown, keep=KEPT, work_line=_work_line(summary))


def _summary(rows: Sequence[VectorRow]) -> BestLayer:
    """Of the directions of one place and method."""
    scored = [(row.score, row) for row in rows if row.score is not None]
    apart = [row.separability for _, row in scored if row.separability is not None]
    weakest = min(scored, key=lambda one: (one[0], one[1].positive), default=None)
    return BestLayer(
        concept=rows[0].concept,
        method=rows[0].method,
        site=rows[0].site,
        reduction=rows[0].reduction,
        layer=rows[0].layer,
        head=rows[0].head,
        directions=len(rows),
        score=fmean(score for score, _ in scored) if scored else None,
        lowest_score=weakest[0] if weakest else None,
        lowest=weakest[1].positive if weakest else None,
        separability=fmean(apart) if apart else None,
        beyond_random=sum(row.within_random is False for _, row in scored),
    )


def _score(row: BestLayer) -> float:
    return float("-inf") if row.score is None else row.score


def _shown(row: BestLayer) -> Line:
    """One line for eyes."""
    return {
        "concept": row.concept,
        "method": row.method,
        "site": f"{row.site}.{row.reduction}",
        "layer": layer_text(row.layer, row.head),
        "mean AUC": number(row.score),
        "lowest": "–" if row.lowest is None else f"{number(row.lowest_score)} {row.lowest}",
        "d′": number(row.separability),
        "beyond random": f"{row.beyond_random} of {row.directions}",
    }


def _work_line(summary: Mapping[str, Any]) -> str:
    if not summary["fitted"]:
        return f"Nothing to fit: {counted(summary['known'], 'direction')} stored already (view vectors)."
    already = f", {summary['known']:,} stored already" if summary["known"] else ""
    fitted = f"{counted(summary['fitted'], 'direction')} of {summary['places']}"
    return f"{fitted}{already}; see the view vectors."
