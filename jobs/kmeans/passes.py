"""k-means of one layer out of core: every iteration reads its blocks once, on all workers.

Mini-batches are drawn from blocks as they are read, most often from a part of them.

After each iteration the centres are kept in state/, so that the same command goes on where it was stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.clustering.kmeans import Labels, Rows, Search, advanced, nearest_centers
from analysis.clustering.minibatch import minibatch
from analysis.clustering.scaling import Scaling, fit_scaling
from analysis.clustering.scores import silhouette_sample
from analysis.clustering.starts import plus_plus_starts
from jobs.fitting.layers import LayerArray
from jobs.fitting.mapping import in_order
from jobs.fitting.opened import opened_run
from jobs.kmeans.blocks import (
    Block,
    LayerPoints,
    clip_clusters,
    cut_blocks,
    drawn_points,
    farthest_of_block,
    forget_points,
    pass_over,
    scaled_points,
)
from jobs.kmeans.problems import Problem
from jobs.kmeans.state import load_state, save_state, state_key
from jobs.kmeans.work import (
    Clustering,
    KmeansWork,
    LayerResult,
    assignments_of,
    label_silhouettes,
    rows_of,
)
from store import open_store

SAMPLE_ROWS = 32_768
"""Points, drawn evenly, that the scaling is fitted to and the starts are drawn from."""

Result = TypeVar("Result")
Mapped = Callable[[Callable[["Block"], Result], Sequence["Block"]], Iterator[tuple[int, Result]]]


def cluster_layer_by_blocks(
    work: KmeansWork, layer: LayerArray, *, mapped: Mapped[Any], points_per_clip: int, width: int
) -> LayerResult:
    """Cluster a layer by reading it once per iteration; `mapped` runs a function over blocks."""
    source = LayerPoints(work.store_url, work.run_id, work.origin["committed"], layer)
    run = opened_run(work.store_url, work.run_id, work.origin["committed"])
    result = LayerResult(layer, [], [])
    for problem in work.problems:
        rows, _ = run.index().select(problem.clip_ids)
        blocks = cut_blocks(rows, points_per_clip, width)
        points = len(problem.clip_ids) * points_per_clip
        sample, places = _sample(source, blocks, points, points_per_clip, mapped)
        scaling = fit_scaling(work.scaling, sample)
        scaled = scaling(sample)
        starts = [start for k in problem.ks for start in plus_plus_starts(scaled, k, work.seeds)]
        searches = _searched(work, source, scaling, problem, blocks, starts, mapped, points)
        silhouettes = silhouette_sample(scaled)
        clusterings = []
        for k, own in zip(problem.ks, _grouped(searches, len(work.seeds)), strict=True):
            best = own[int(np.argmin([search.inertia for search in own]))]
            clusters, histogram = _clip_clusters(source, scaling, own, best, points_per_clip, blocks, mapped)
            (labels,) = nearest_centers(scaled, [best.centers])
            clusterings.append(Clustering(k, tuple(own), clusters, histogram, silhouettes.of(labels)))
        of_labels = label_silhouettes(problem, silhouettes, places)
        result.rows.extend(rows_of(work, layer, problem, clusterings, of_labels, points=points))
        if work.assignments or points_per_clip > 1:
            result.assignments.extend(assignments_of(work, layer, problem, clusterings))
    forget_points()
    return result


def _searched(
    work: KmeansWork,
    source: LayerPoints,
    scaling: Scaling,
    problem: Problem,
    blocks: Sequence[Block],
    starts: Sequence[Rows],
    mapped: Mapped[Any],
    points: int,
) -> list[Search]:
    """Every start followed to its end."""
    store, key = open_store(work.store_url), state_key(work, source.layer, problem)
    kept = load_state(store, key)
    searches, spread = kept or (_first_searches(work, source, scaling, blocks, starts, mapped, points), None)
    while moving := [place for place, search in enumerate(searches) if search.state != "ended"]:
        centers = [searches[place].centers for place in moving]
        passes = in_order(mapped(partial(pass_over, source, scaling, centers, spread is None), blocks))
        total = next(passes)
        for block in passes:
            total = total.plus(block)
        if spread is None:
            assert total.measured is not None
            spread = total.measured.spread()

        def farthest(centers: Rows, count: int) -> tuple[Rows, Labels]:
            return _farthest(source, scaling, centers, count, blocks, mapped)

        for place, sums in zip(moving, total.sums, strict=True):
            searches[place] = advanced(searches[place], sums, spread, farthest)
        save_state(store, key, searches, spread)
    return searches


def _first_searches(
    work: KmeansWork,
    source: LayerPoints,
    scaling: Scaling,
    blocks: Sequence[Block],
    starts: Sequence[Rows],
    mapped: Mapped[Any],
    points: int,
) -> list[Search]:
    """Starts as they were drawn or, where mini-batches are asked for, after these."""
    if not work.batch_size:
        return [Search(centers) for centers in starts]

    def read(numbers: Sequence[int]) -> Iterator[Rows]:
        return in_order(mapped(partial(scaled_points, source, scaling), [blocks[n] for n in numbers]))

    return minibatch(read, len(blocks), starts, batch_size=work.batch_size, rows=points)


def _farthest(
    source: LayerPoints,
    scaling: Scaling,
    centers: Rows,
    count: int,
    blocks: Sequence[Block],
    mapped: Mapped[Any],
) -> tuple[Rows, Labels]:
    found = list(in_order(mapped(partial(farthest_of_block, source, scaling, centers, count), blocks)))
    distances = np.concatenate([distances for distances, _, _ in found])
    rows = np.concatenate([rows for _, rows, _ in found])
    labels = np.concatenate([labels for _, _, labels in found])
    order = np.argsort(-distances, kind="stable")[:count]
    return rows[order], labels[order]


def _sample(
    source: LayerPoints, blocks: Sequence[Block], points: int, points_per_clip: int, mapped: Mapped[Any]
) -> tuple[NDArray[Any], Labels]:
    """Points drawn evenly, all where there are few, and the clip of each."""
    share = min(1.0, SAMPLE_ROWS / points)
    found = list(in_order(mapped(partial(drawn_points, source, share, points_per_clip), blocks)))
    return np.concatenate([rows for rows, _ in found]), np.concatenate([clips for _, clips in found])


def _clip_clusters(
    source: LayerPoints,
    scaling: Scaling,
    searches: Sequence[Search],
    best: Search,
    points_per_clip: int,
    blocks: Sequence[Block],
    mapped: Mapped[Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cluster of each clip for every start, (S, n), and the histograms of the best, (n, k)."""
    centers = [search.centers for search in searches]
    place = next(place for place, search in enumerate(searches) if search is best)
    found = list(
        in_order(mapped(partial(clip_clusters, source, scaling, centers, place, points_per_clip), blocks))
    )
    clusters = np.concatenate([own for own, _ in found], axis=1)
    return clusters, np.concatenate([histogram for _, histogram in found])


def _grouped(searches: Sequence[Search], size: int) -> list[list[Search]]:
    return [list(searches[first : first + size]) for first in range(0, len(searches), size)]
