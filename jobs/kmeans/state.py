"""Checkpoints of k-means: centres between iterations, kept in the store."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.clustering.kmeans import Search, Spread
from jobs.fitting.layers import LayerArray
from jobs.kmeans.problems import Problem
from jobs.kmeans.work import KmeansWork
from store.errors import NotFound
from store.objects.ledger import Record, is_recorded, proves_itself, read_committed, withdraw, write_record
from store.objects.sealed import opened_bytes, sealed_bytes
from store.opening import Store
from store.results.parts import digest_of


def state_key(work: KmeansWork, layer: LayerArray, problem: Problem) -> str:
    """Where the centres are kept between iterations."""
    ids = [work.clustering_id(layer, problem, k, seed) for k in problem.ks for seed in work.seeds]
    return f"state/kmeans/{digest_of(ids)}.npz"


def save_state(store: Store, key: str, searches: Sequence[Search], spread: Spread) -> None:
    """Keep where every start is, in place of what was kept before; whole or not at all."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"centers_{place}": search.centers for place, search in enumerate(searches)}
    np.savez(
        buffer,
        inertia=np.array([search.inertia for search in searches]),
        iterations=np.array([search.iterations for search in searches]),
        state=np.array([search.state for search in searches]),
        spread=np.array([spread.squares, spread.tolerance]),
        **arrays,
    )
    store.objects.put(key, sealed_bytes(buffer.getvalue()))
    if not is_recorded(store.objects, key):
        write_record(store.objects, Record(key, "state", (proves_itself(key),)))


def load_state(store: Store, key: str) -> tuple[list[Search], Spread | None] | None:
    """What was kept, or None; of states from before it was kept the spread is unknown.

    Raises:
        CorruptData: it is damaged.
    """
    try:
        data = opened_bytes(read_committed(store.objects, key), f"{store.url}/{key}")
    except NotFound:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        searches = [
            Search(kept[f"centers_{place}"], float(inertia), int(iterations), str(state))  # type: ignore[arg-type]
            for place, (inertia, iterations, state) in enumerate(
                zip(kept["inertia"], kept["iterations"], kept["state"], strict=True)
            )
        ]
        return searches, Spread(*kept["spread"].tolist()) if "spread" in kept else None


def drop_state(store: Store, key: str) -> None:
    """Forget what was kept: the clusterings are written."""
    withdraw(store.objects, key, [key])
