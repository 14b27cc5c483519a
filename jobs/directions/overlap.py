"""Rows of a report on superposition: how stored directions of one site overlap.

As in the view `superposition`, a place is one site, reduction and layer of one run, and pairs of classes are
kept apart from classes against the rest.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from analysis.directions.superposition import Superposition, superposition
from store.results.fits import VectorRow

MIRRORED = -0.99999
"""Cosine of the directions of the two classes of one concept: the same direction, turned round."""


def overlap_rows(vectors: Sequence[VectorRow]) -> list[dict[str, Any]]:
    """A row per direction; of the two of a concept with two classes only the first is counted."""
    rows: list[dict[str, Any]] = []
    for _, same in groupby(sorted(vectors, key=_place), key=_place):
        kept = _without_mirrored(list(same))
        report = superposition(np.stack([vector.vector for vector in kept]))
        rows += [_row(kept, place, report) for place in range(len(kept))]
    return rows


def _place(vector: VectorRow) -> tuple[str, str, str, int, int, str, bool]:
    return (
        vector.run_id,
        vector.site,
        vector.reduction,
        vector.layer,
        -1 if vector.head is None else vector.head,
        vector.method,
        vector.negative is not None,
    )


def _without_mirrored(vectors: Sequence[VectorRow]) -> list[VectorRow]:
    kept: list[VectorRow] = []
    for vector in vectors:
        mirrored = any(
            one.concept == vector.concept and float(one.vector @ vector.vector) < MIRRORED for one in kept
        )
        if not mirrored:
            kept.append(vector)
    return kept


def _row(vectors: Sequence[VectorRow], place: int, report: Superposition) -> dict[str, Any]:
    vector = vectors[place]
    cosines = np.abs(report.gram[place])
    cosines[place] = -1.0
    closest = int(cosines.argmax())
    alone = len(vectors) == 1
    return {
        "vector_id": vector.vector_id,
        "run_id": vector.run_id,
        "concept": vector.concept,
        "positive": vector.positive,
        "negative": vector.negative,
        "method": vector.method,
        "site": vector.site,
        "reduction": vector.reduction,
        "layer": vector.layer,
        "closest": None if alone else _named(vectors[closest]),
        "cosine": None if alone else float(report.gram[place, closest]),
        "dimensionality": float(report.dimensionality[place]),
        "norm_left": float(report.norm_left[place]),
        "directions": len(vectors),
        "mean_cosine": report.mean_cosine,
        "largest_cosine": report.largest_cosine,
        "random_cosine": report.random_cosine,
        "welch_bound": report.welch_bound,
        "effective_rank": report.effective_rank,
        "participation_ratio": report.participation_ratio,
    }


def _named(vector: VectorRow) -> str:
    against = "" if vector.negative is None else f" − {vector.negative}"
    return f"{vector.concept} {vector.positive}{against}"
