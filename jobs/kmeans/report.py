"""Print what `undertone kmeans` found: the layer of each site that agrees best with each concept."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.fitting.printing import Row, number, print_best
from store.errors import counted

SHOWN = (
    "concept", "classes", "scaling", "k", "site", "reduction", "layer", "ari", "ari_low", "ari_high", "nmi",
    "silhouette", "label_silhouette",
)  # fmt: skip
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


def best_layers(rows: Sequence[Row]) -> list[Row]:
    """The best layer of each site and concept by ARI, each at its best start.

    Of several k each layer speaks with the one of the best silhouette, which knows nothing of the labels.
    """
    best: dict[tuple[Any, ...], Row] = {}
    for row in _layers(rows):
        place = (row["concept"], row["site"], row["reduction"])
        if place not in best or row["ari"] > best[place]["ari"]:
            best[place] = row
    return sorted(best.values(), key=lambda row: (row["concept"], -row["ari"], row["site"]))


def print_clusterings(summary: Mapping[str, Any], format_: str) -> None:
    """Print notes on standard error, and the result as a table for eyes or as one JSON object."""
    print_best(summary, format_, shown=_shown, keep=KEPT, work_line=_work_line(summary))


def _layers(rows: Sequence[Row]) -> list[Row]:
    """A row for each layer and concept, with the spread of its starts."""
    starts: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        clustering = tuple(row[name] for name in ("concept", "site", "reduction", "layer", "k"))
        starts.setdefault(clustering, []).append(row)
    chosen: dict[tuple[Any, ...], Row] = {}
    for (*layer, _), same in sorted(starts.items()):
        aris = [row["ari"] for row in same]
        spread = {"ari_low": min(aris), "ari_high": max(aris)}
        own = min(same, key=lambda row: (row["inertia"], row["start_seed"])) | spread
        known = chosen.setdefault(tuple(layer), own)
        if _silhouette(own) > _silhouette(known):
            chosen[tuple(layer)] = own
    return [{name: row[name] for name in SHOWN} for row in chosen.values()]


def _silhouette(row: Row) -> float:
    return float("-inf") if row["silhouette"] is None else float(row["silhouette"])


def _shown(row: Row) -> Row:
    """One line for eyes."""
    return {
        "concept": row["concept"],
        "site": f"{row['site']}.{row['reduction']}",
        "layer": str(row["layer"]),
        "classes": row["classes"],
        "k": row["k"],
        "ARI": f"{row['ari']:.3f}",
        "over starts": f"{row['ari_low']:.3f} to {row['ari_high']:.3f}",
        "NMI": f"{row['nmi']:.3f}",
        "silhouette": number(row["silhouette"]),
        "of the classes": number(row["label_silhouette"]),
    }


def _work_line(summary: Mapping[str, Any]) -> str:
    if not summary["fitted"]:
        return f"Nothing new: {counted(summary['known'], 'clustering')} stored already (view clusterings)."
    already = f", {summary['known']:,} stored already" if summary["known"] else ""
    layers = f"of {counted(summary['layers'], 'layer')}, {counted(summary['starts'], 'start')} each"
    return (
        f"{counted(summary['fitted'], 'clustering')} {layers}{already}; see the views clusterings and layers."
    )
