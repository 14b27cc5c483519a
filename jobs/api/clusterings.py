"""Python's `kmeans`: of arrays, or of every layer of a run."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Required, Unpack, overload

from numpy.typing import ArrayLike

from analysis.clustering.fitting import Clusters, clusters
from analysis.clustering.scaling_kinds import ScalingKind
from jobs.api.answers import Answer, Findings, answer_of
from jobs.api.keywords import FitOfRun, documented, of_arrays, options_from
from jobs.api.runs import Run
from jobs.kmeans.options import KmeansOptions
from store.errors import InvalidInput
from store.records import Reduction


class Clustered(FitOfRun, total=False):
    """How layers of a run are clustered."""

    labels: Required[
        Annotated[str, "for a run, one SELECT that gives clip_id and the label columns to compare with."]
    ]
    scaling: Annotated[ScalingKind, '"none", "zscore", "l2" or "pca" (whitened components).']
    starts: Annotated[int, "k-means++ starts, of which the one of lowest inertia counts."]
    seed: Annotated[int, "of the first start."]
    batch_size: Annotated[
        int, "rows of a mini-batch, after which centres move; 0 moves them after all, as is usual."
    ]
    reduction: Annotated[Reduction, 'for a run, which arrays: "mean", "std", "last", "segments" or "frames".']
    assignments: Annotated[bool, "for a run, store the cluster of every clip too."]


@overload
def kmeans(
    source: ArrayLike,
    k: int | None = None,
    *,
    y: ArrayLike | None = None,
    scaling: ScalingKind = "none",
    starts: int = 10,
    seed: int = 0,
    batch_size: int = 0,
) -> Clusters: ...


@overload
def kmeans(source: Run, k: int | range | None = None, **given: Unpack[Clustered]) -> Findings: ...


@documented(Clustered, KmeansOptions, labels=None)
def kmeans(
    source: Any, k: int | range | None = None, *, y: ArrayLike | None = None, **given: Any
) -> Clusters | Findings:
    """Cluster rows of an array, or every layer of a run, by k-means.

    Args:
        source: rows (n, D), or a run.
        k: number of clusters, for a run also a range of them; by default as many as there are classes.
        y: for arrays, classes to compare the clusters with, (n,).

    Raises:
        InvalidInput: shapes that do not fit, or a k that the rows cannot fill.
        QueryRefused: the query is wrong.

    Examples:
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(60, 4))
        >>> X[30:] += 10
        >>> kmeans(X, 2, y=np.repeat(["low", "high"], 30)).agreement.ari
        1.0
    """
    if not isinstance(source, Run):
        if isinstance(k, range):
            raise InvalidInput("Of arrays k is one number: try several in a loop, and compare silhouettes.")
        return clusters(source, k, y=y, **of_arrays(given))
    if given["labels"] is None:
        raise InvalidInput('k-means of a run needs a query: labels="SELECT clip_id, genre FROM clips".')
    from jobs.kmeans.running import run_kmeans
    from jobs.progress.reporters import told

    options = options_from(KmeansOptions, given, store=source.store_url, run=source.id, k=_k_text(k))
    with told(given.get("progress", False)):
        found = run_kmeans(options)
    said = found.summary
    notes: Sequence[str] = said["notes"]
    best = answer_of([asdict(row) for row in said["best"]])
    return Findings(best, Answer(found.table), said["fitted"], said["known"], tuple(notes))


def _k_text(k: int | range | None) -> str:
    """The number of clusters, or their range, as the text of the command's option."""
    if k is None:
        return "auto"
    if isinstance(k, range):
        if k.step != 1 or not k:
            raise InvalidInput(f"k is {k!r}: give a range in steps of 1, such as range(2, 13).")
        return f"{k[0]}:{k[-1]}"
    return str(k)
