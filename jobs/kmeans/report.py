"""Print what `undertone kmeans` found: the layer of each site that agrees best with each concept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.fitting.printing import Line, number, print_best
from store.errors import counted
from store.results.fits import ClusteringRow

KEPT = (
    "ARI",
    "over starts",
    "silhouette",
    "layer",
    "site",
    "concept",
    "k",
    "of the classes",
    "NMI",
    "classes",
)
"""Columns that are printed, by importance, for a narrow terminal."""


@dataclass(frozen=True, slots=True)
class BestLayer:
    """The layer of a site that agrees best with a concept, at its best start."""

    concept: str
    classes: int
    scaling: str
    k: int
    site: str
    reduction: str
    layer: int
    ari: float
    ari_low: float
    """The least agreement over starts."""
    ari_high: float
    nmi: float
    silhouette: float | None
    label_silhouette: float | None


def best_layers(rows: Sequence[ClusteringRow]) -> list[BestLayer]:
    """The best layer of each site and concept by ARI, each at its best start.

    Of several k each layer speaks with the one of the best silhouette, which knows nothing of the labels.
    """
    best: dict[tuple[str, ...], BestLayer] = {}
    for row in _layers(rows):
        place = (row.concept, row.site, row.reduction)
        if place not in best or row.ari > best[place].ari:
            best[place] = row
    return sorted(best.values(), key=lambda row: (row.concept, -row.ari, row.site))


def print_clusterings(summary: Mapping[str, Any], format_: str) -> None:
    """Print notes on standard error, and the result as a table for eyes or as one JSON object."""
    print_best(summary, format_, shown=_shown, keep=KEPT, work_line=_work_line(summary))


def _layers(rows: Sequence[ClusteringRow]) -> list[BestLayer]:
    """One for each layer and concept, with the spread of its starts."""
    starts: dict[tuple[Any, ...], list[ClusteringRow]] = {}
    for row in rows:
        starts.setdefault((row.concept, row.site, row.reduction, row.layer, row.k), []).append(row)
    chosen: dict[tuple[Any, ...], BestLayer] = {}
    for (*layer, _), same in sorted(starts.items()):
        own = _at_best_start(same)
        known = chosen.setdefault(tuple(layer), own)
        if _silhouette(own) > _silhouette(known):
            chosen[tuple(layer)] = own
    return list(chosen.values())


def _at_best_start(rows: Sequence[ClusteringRow]) -> BestLayer:
    row = min(rows, key=lambda row: (row.inertia, row.start_seed))
    aris = [one.ari for one in rows]
    return BestLayer(
        concept=row.concept,
        classes=row.classes,
        scaling=row.scaling,
        k=row.k,
        site=row.site,
        reduction=row.reduction,
        layer=row.layer,
        ari=row.ari,
        ari_low=min(aris),
        ari_high=max(aris),
        nmi=row.nmi,
        silhouette=row.silhouette,
        label_silhouette=row.label_silhouette,
    )


def _silhouette(row: BestLayer) -> float:
    return float("-inf") if row.silhouette is None else row.silhouette


def _shown(row: BestLayer) -> Line:
    """One line for eyes."""
    return {
        "concept": row.concept,
        "site": f"{row.site}.{row.reduction}",
        "layer": str(row.layer),
        "classes": row.classes,
        "k": row.k,
        "ARI": f"{row.ari:.3f}",
        "over starts": f"{row.ari_low:.3f} to {row.ari_high:.3f}",
        "NMI": f"{row.nmi:.3f}",
        "silhouette": number(row.silhouette),
        "of the classes": number(row.label_silhouette),
    }


def _work_line(summary: Mapping[str, Any]) -> str:
    if not summary["fitted"]:
        return f"Nothing new: {counted(summary['known'], 'clustering')} stored already (view clusterings)."
    already = f", {summary['known']:,} stored already" if summary["known"] else ""
    layers = f"of {summary['places']}, {counted(summary['starts'], 'start')} each"
    return (
        f"{counted(summary['fitted'], 'clustering')} {layers}{already}; see the views clusterings and layers."
    )
