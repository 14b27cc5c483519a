"""Cluster every selected layer of a run, and store what is new, one part per layer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from jobs.engine.ray_session import ray_session
from jobs.fitting.labels import record_labels, resolve_labels
from jobs.fitting.layers import LayerArray, places_text, select_layers
from jobs.fitting.mapping import choose_engine, map_tasks
from jobs.fitting.user_tables import read_user_tables
from jobs.kmeans.blocks import BLOCK_BYTES
from jobs.kmeans.layer import cluster_layer
from jobs.kmeans.options import KmeansOptions, parse_k
from jobs.kmeans.passes import cluster_layer_by_blocks
from jobs.kmeans.problems import kmeans_problems
from jobs.kmeans.report import best_layers
from jobs.kmeans.state import drop_state, state_key
from jobs.kmeans.table import Stored, read_clusterings, read_stored
from jobs.kmeans.work import KmeansWork, LayerResult
from jobs.progress.reporting import followed
from store import open_store
from store.arrays.collection import Collection
from store.opening import Store
from store.results.fits import ASSIGNMENTS, CLUSTERINGS, ClusteringRow
from store.results.parts import committed_digest, write_results
from store.results.table import Text

MEMORY_BYTES = 256_000_000
"""Of float32 points: a layer with more is read block by block."""
COPIES = 3
"""Of its points that a task holds at once: as they are stored, scaled, and what products make of them."""
OPERATIONS_PER_SECOND = 1e10
USUAL_ITERATIONS = 25

Engine = Literal["inline", "ray"]


@dataclass(frozen=True, slots=True)
class Clustered:
    """What was asked for, newly clustered or there already."""

    table: pa.Table
    """Rows of the view `clusterings`."""
    summary: dict[str, Any]


def run_kmeans(options: KmeansOptions) -> Clustered:
    """Cluster what is not stored yet and store it.

    Raises:
        UndertoneError: labels, layers or options cannot be used; what is stored stays.
    """
    ks = parse_k(options.k)
    store = open_store(options.store)
    run = store.run(options.run)
    layers = select_layers(run, sites=options.sites, layers=options.layers, reductions=[options.reduction])
    user = read_user_tables(options.tables)
    labels = resolve_labels(store, run, options.labels, tables=user.tables)
    problems, notes = kmeans_problems(labels, ks)
    work = KmeansWork(
        store_url=store.url,
        run_id=labels.run_id,
        labels_query=labels.query,
        problems=tuple(problems),
        scaling=options.scaling,
        seeds=tuple(range(options.seed, options.seed + options.starts)),
        assignments=options.assignments,
        origin={"committed": committed_digest(run)},
        batch_size=options.batch_size,
    )
    record_labels(store, labels)
    stored = read_stored(store)
    wanted = [layer for layer in layers if not _is_done(work, layer, run, stored)]
    results = followed(
        _results(work, run, wanted, options),
        total=len(wanted),
        title=f"kmeans {labels.run_id}",
        unit="tasks",
    )
    written = sum(_keep(store, work, result, stored) for result in results)
    identities = {identity for layer in layers for identity in work.identities(layer)}
    table = read_clusterings(store, identities)
    summary = {
        "run": work.run_id,
        "layers": len({one.layer for one in layers}),
        "places": places_text(layers),
        "clusterings": len(identities),
        "fitted": written,
        "known": len(identities & stored.inertias.keys()),
        "k": sorted({k for problem in problems for k in problem.ks}),
        "starts": options.starts,
        "scaling": options.scaling,
        "batch_size": options.batch_size or None,
        "clips": len(labels.clip_ids),
        "notes": [*user.notes, *labels.notes, *notes],
        "best": best_layers(CLUSTERINGS.rows(table)),
    }
    return Clustered(table, summary)


def _is_done(work: KmeansWork, layer: LayerArray, run: Collection, stored: Stored) -> bool:
    """Whether a layer has all its rows and, where they are asked for, the best starts' assignments."""
    if not work.identities(layer) <= stored.inertias.keys():
        return False
    if not work.assignments and _points_per_clip(run, layer) == 1:
        return True
    best = [min(starts, key=lambda start: stored.inertias[start]) for starts in work.starts(layer)]
    return {clustering_id for clustering_id, _ in best} <= stored.assigned


def _results(
    work: KmeansWork,
    run: Collection,
    layers: Sequence[LayerArray],
    options: KmeansOptions,
) -> Iterator[LayerResult]:
    """Layers that fit into memory side by side, then each of the others on all workers."""
    clips = max(len(problem.clip_ids) for problem in work.problems)
    small = [layer for layer in layers if _points_bytes(run, layer, clips) <= MEMORY_BYTES]
    seconds = sum(_estimated_seconds(work, run, layer) for layer in layers)
    engine = choose_engine(options.engine, address=options.address, seconds=seconds)
    cpus = options.workers if options.address == "local" else None
    with ray_session(options.address, cpus=cpus) if engine == "ray" else nullcontext():
        store = open_store(work.store_url)
        largest = max((_points_bytes(run, layer, clips) for layer in small), default=0)
        side_by_side = _mapping(store, engine, options, task_bytes=COPIES * largest, run_id=work.run_id)
        for _, result in side_by_side(partial(cluster_layer, work), small):
            yield result
        mapping = _mapping(store, engine, options, task_bytes=COPIES * BLOCK_BYTES, run_id=work.run_id)
        for layer in (layer for layer in layers if layer not in small):
            shape = run.arrays[layer.array].shape
            yield cluster_layer_by_blocks(
                work,
                layer,
                mapped=mapping,
                points_per_clip=_points_per_clip(run, layer),
                width=shape[-1],
            )


def _mapping(
    store: Store, engine: Engine, options: KmeansOptions, *, task_bytes: int, run_id: str
) -> Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[tuple[int, Any]]]:
    def mapped(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        return map_tasks(
            function,
            tasks,
            run_id=run_id,
            engine=engine,
            address=options.address,
            workers=options.workers,
            store=store,
            task_bytes=task_bytes,
        )

    return mapped


def _keep(store: Store, work: KmeansWork, result: LayerResult, stored: Stored) -> int:
    """Store a layer, its clusterings last: they say that it is done. Then its state is no longer needed."""
    rows = [row for row in result.rows if _identity(row) not in stored.inertias]
    for table in result.assignments:
        clustering_id = table["clustering_id"][0].as_py()
        write_results(store, ASSIGNMENTS.kind, {"clustering": clustering_id}, table)
    if rows:
        identities = [list(_identity(row)) for row in rows]
        write_results(store, CLUSTERINGS.kind, {"clusterings": identities}, CLUSTERINGS.of(rows))
    for problem in work.problems:
        drop_state(store, state_key(work, result.layer, problem))
    return len(rows)


def _identity(row: ClusteringRow) -> tuple[Text, Text]:
    return row.clustering_id, row.labels_hash


def _points_per_clip(run: Collection, layer: LayerArray) -> int:
    return int(np.prod(run.arrays[layer.array].shape[1:-1], dtype=np.int64))


def _points_bytes(run: Collection, layer: LayerArray, clips: int) -> int:
    return clips * _points_per_clip(run, layer) * run.arrays[layer.array].shape[-1] * 4


def _estimated_seconds(work: KmeansWork, run: Collection, layer: LayerArray) -> float:
    """Rough time on one thread: two products of points and centres per iteration."""
    centers = sum(len(problem.clip_ids) * sum(problem.ks) for problem in work.problems) * len(work.seeds)
    operations = 4 * USUAL_ITERATIONS * centers * _points_per_clip(run, layer)
    return operations * run.arrays[layer.array].shape[-1] / OPERATIONS_PER_SECOND
