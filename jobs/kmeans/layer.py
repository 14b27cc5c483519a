"""k-means of one layer whose points fit into memory."""

import numpy as np
from numpy.typing import NDArray

from analysis.clustering.fitting import from_starts
from analysis.clustering.kmeans import Rows
from analysis.clustering.scaling import fit_scaling
from analysis.clustering.scores import SilhouetteSample, majority, silhouette_sample
from jobs.fitting.layers import LayerArray
from jobs.fitting.opened import opened_run
from jobs.kmeans.work import (
    Clustering,
    KmeansWork,
    LayerResult,
    assignments_of,
    label_silhouettes,
    rows_of,
)


def cluster_layer(work: KmeansWork, layer: LayerArray) -> LayerResult:
    """Read a layer once per problem and cluster it from every start, into every number of clusters."""
    run = opened_run(work.store_url, work.run_id, work.origin["committed"])
    result = LayerResult(layer, [], [])
    for problem in work.problems:
        activations, _ = run.read_layer(layer.array, layer.layer, problem.clip_ids)
        points_per_clip = int(np.prod(activations.shape[1:-1], dtype=np.int64))
        flat = activations.reshape(-1, activations.shape[-1])
        points = fit_scaling(work.scaling, flat)(flat)
        sample = silhouette_sample(points)
        clusterings = [_clustered(points, points_per_clip, k, work, sample) for k in problem.ks]
        clips = np.repeat(np.arange(len(problem.clip_ids)), points_per_clip)
        silhouettes = label_silhouettes(problem, sample, clips)
        result.rows.extend(rows_of(work, layer, problem, clusterings, silhouettes, points=len(points)))
        if work.assignments or points_per_clip > 1:
            result.assignments.extend(assignments_of(work, layer, problem, clusterings))
    return result


def _clustered(
    points: Rows, points_per_clip: int, k: int, work: KmeansWork, sample: SilhouetteSample
) -> Clustering:
    searches, labels = from_starts(points, k, work.seeds, batch_size=work.batch_size)
    best = int(np.argmin([search.inertia for search in searches]))
    histograms = [clip_histogram(own, points_per_clip, k) for own in labels]
    return Clustering(
        k,
        tuple(searches),
        np.stack([majority(histogram) for histogram in histograms]),
        histograms[best],
        sample.of(labels[best]),
    )


def clip_histogram(labels: NDArray[np.int64], points_per_clip: int, k: int) -> NDArray[np.int64]:
    """Points of each clip in each cluster, (n, k), from the clusters of consecutive points."""
    clips = np.arange(len(labels)) // points_per_clip
    counts = np.bincount(clips * k + labels, minlength=len(labels) // points_per_clip * k)
    return counts.reshape(-1, k)
