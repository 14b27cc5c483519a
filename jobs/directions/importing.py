"""Imports directions from files of other tools, at the site and layer that the user names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.arrays.collection import Collection
from store.errors import InvalidInput
from store.records import SITES
from store.results.parts import digest_of


def foreign_rows(
    run: Collection,
    directions: Mapping[int, NDArray[np.float32]],
    *,
    site: str,
    concept: str,
    positive: str,
) -> list[dict[str, Any]]:
    """Rows of `vectors` for directions by layer, brought to length 1; nothing has been measured of them.

    Raises:
        InvalidInput: a direction does not fit the model of the run.
    """
    if site not in SITES:
        raise InvalidInput(f"There is no site {site!r}; sites are {', '.join(SITES)}.")
    return [
        _row(run, layer, vector, site=site, concept=concept, positive=positive)
        for layer, vector in directions.items()
    ]


def _row(
    run: Collection, layer: int, vector: NDArray[np.float32], *, site: str, concept: str, positive: str
) -> dict[str, Any]:
    model = run.document["model"]
    widths = {spec.shape[-1] for spec in run.arrays.values()}
    if len(vector) not in widths or not 0 <= layer < model.get("layers", layer + 1):
        raise InvalidInput(
            f"A direction with {len(vector)} entries for layer {layer} does not fit {model['name']} "
            f"({model.get('layers', 'some')} layers, width {', '.join(map(str, sorted(widths)))})."
        )
    norm = float(np.linalg.norm(vector))
    if norm == 0:
        raise InvalidInput(f"The direction for layer {layer} has length 0.")
    identity = [model["fingerprint"], site, layer, concept, positive, vector.tolist()]
    return {
        "vector_id": digest_of(identity),
        "run_id": run.prefix.removeprefix("runs/"),
        "model": model["name"],
        "model_fingerprint": model["fingerprint"],
        "site": site,
        "reduction": "mean",
        "layer": layer,
        "concept": concept,
        "positive": positive,
        "negative": None,
        "method": "imported",
        "vector": vector / norm,
        "width": len(vector),
        "norm": norm,
        "scaling": "norm",
        "clips": 0,
        "positives": 0,
        "negatives": 0,
        "groups": 0,
        "folds": 0,
        "labels_query": "",
        "labels_hash": "",
        "created_at": datetime.now(UTC).replace(tzinfo=None),
    }
