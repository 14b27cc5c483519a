"""The task of clustering one layer, and its result as rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.clustering import kmeans, minibatch, scaling
from analysis.clustering import scores as kmeans_scores
from analysis.clustering.kmeans import Labels, Search
from analysis.clustering.scaling_kinds import ScalingKind
from analysis.clustering.scores import SilhouetteSample, agreement
from jobs.fitting.layers import LayerArray
from jobs.kmeans.problems import Problem
from jobs.method_versions import methods_id
from store.results.fits import ASSIGNMENTS, ClusteringRow
from store.results.parts import digest_of
from store.results.table import now


def _methods(batch_size: int = 0) -> str:
    """Stands for all that decides the numbers of a clustering."""
    versions = {"kmeans": kmeans.VERSION, "scores": kmeans_scores.VERSION, "scaling": scaling.VERSION}
    if batch_size:
        versions["minibatch"] = minibatch.VERSION
    return methods_id("clusterings", **versions)


@dataclass(frozen=True, slots=True)
class KmeansWork:
    """The same for every layer, on any machine."""

    store_url: str
    run_id: str
    labels_query: str
    problems: tuple[Problem, ...]
    scaling: ScalingKind
    seeds: tuple[int, ...]
    """Of the starts."""
    assignments: bool
    origin: Mapping[str, str]
    """What ids also depend on: committed rows."""
    batch_size: int = 0
    """Points of a mini-batch; 0: every iteration sees all."""

    def clustering_id(self, layer: LayerArray, problem: Problem, k: int, seed: int) -> str:
        """Id of one start: a hash of all that decides it."""
        place = {"run": self.run_id, "array": layer.array, "layer": layer.layer, "clips": problem.digest}
        batches: dict[str, Any] = {"code": _methods(self.batch_size)}
        if self.batch_size:
            batches["batch_size"] = self.batch_size
        return digest_of({**self.origin, **place, **batches, "scaling": self.scaling, "k": k, "seed": seed})

    def identities(self, layer: LayerArray) -> set[tuple[str, str]]:
        """(clustering_id, labels_hash) of all rows that a layer will have."""
        return {identity for starts in self.starts(layer) for identity in starts}

    def starts(self, layer: LayerArray) -> list[list[tuple[str, str]]]:
        """(clustering_id, labels_hash) of all starts, for each k and concept that it is compared with."""
        return [
            [(self.clustering_id(layer, problem, k, seed), comparison.labels_hash) for seed in self.seeds]
            for problem in self.problems
            for k in problem.ks
            for comparison in problem.compared_at(k)
        ]


@dataclass(frozen=True, slots=True)
class Clustering:
    """All starts at one k."""

    k: int
    searches: tuple[Search, ...]
    clusters: NDArray[np.int64]
    """Cluster of each clip for every start, (S, n)."""
    histogram: NDArray[np.int64]
    """Points of each clip in each cluster for the best start, (n, k)."""
    silhouette: float | None
    """Of the best start's clusters."""

    @property
    def best(self) -> int:
        """The start of lowest inertia."""
        return int(np.argmin([search.inertia for search in self.searches]))


@dataclass(frozen=True, slots=True)
class LayerResult:
    """Rows for `clusterings`, and parts of `assignments`."""

    layer: LayerArray
    rows: list[ClusteringRow]
    assignments: list[pa.Table]


def rows_of(
    work: KmeansWork,
    layer: LayerArray,
    problem: Problem,
    clusterings: Sequence[Clustering],
    label_silhouettes: Mapping[str, float | None],
    *,
    points: int,
) -> list[ClusteringRow]:
    """A row per k, start and concept, with the indices of agreement."""
    found: list[ClusteringRow] = []
    for one in clusterings:
        for comparison in problem.compared_at(one.k):
            for place, search in enumerate(one.searches):
                indices = agreement(comparison.values, one.clusters[place])
                row = ClusteringRow(
                    clustering_id=work.clustering_id(layer, problem, one.k, work.seeds[place]),
                    run_id=work.run_id,
                    site=layer.site,
                    reduction=layer.reduction,
                    layer=layer.layer,
                    concept=comparison.concept,
                    classes=comparison.classes,
                    k=one.k,
                    scaling=work.scaling,
                    batch_size=work.batch_size or None,
                    dimensions=search.centers.shape[1],
                    start_seed=work.seeds[place],
                    inertia=search.inertia,
                    iterations=search.iterations,
                    ari=indices.ari,
                    nmi=indices.nmi,
                    ami=indices.ami,
                    homogeneity=indices.homogeneity,
                    completeness=indices.completeness,
                    silhouette=one.silhouette if place == one.best else None,
                    label_silhouette=label_silhouettes[comparison.concept],
                    points=points,
                    clips=len(problem.clip_ids),
                    labels_query=work.labels_query,
                    labels_hash=comparison.labels_hash,
                    created_at=now(),
                )
                found.append(row)
    return found


def assignments_of(
    work: KmeansWork, layer: LayerArray, problem: Problem, clusterings: Sequence[Clustering]
) -> list[pa.Table]:
    """Parts of `assignments`: the best start at each k."""
    found = []
    for one in clusterings:
        cluster = one.clusters[one.best]
        counts = one.histogram
        columns = {
            "clustering_id": [work.clustering_id(layer, problem, one.k, work.seeds[one.best])] * len(cluster),
            "clip_id": list(problem.clip_ids),
            "cluster": cluster,
            "share": counts[np.arange(len(cluster)), cluster] / counts.sum(axis=1),
            "histogram": list(counts),
        }
        found.append(ASSIGNMENTS.of_columns(columns))
    return found


def label_silhouettes(problem: Problem, sample: SilhouetteSample, clips: Labels) -> dict[str, float | None]:
    """Of the classes themselves; `clips` says which clip each point belongs to, (points,)."""
    return {one.concept: sample.of(one.values[clips]) for one in problem.comparisons}
