"""Python's `kmeans`: of arrays, or of every layer of a run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike

from analysis.clustering.fitting import Clusters, clusters
from jobs.api.answers import Findings, answer_of
from jobs.api.runs import Run
from jobs.api.values import Layers, Names, Tables, arrow_tables, layers_text, names_text
from store.errors import InvalidInput

if TYPE_CHECKING:
    from analysis.clustering.scaling_kinds import ScalingKind
    from jobs.execution import FitEngine
    from jobs.progress.reporters import Told
    from store.records import Reduction


@overload
def kmeans(
    source: ArrayLike,
    k: int | None = None,
    *,
    y: ArrayLike | None = None,
    scaling: "ScalingKind" = "none",
    starts: int = 10,
    seed: int = 0,
) -> Clusters: ...


@overload
def kmeans(
    source: Run,
    k: int | range | None = None,
    *,
    labels: str,
    scaling: "ScalingKind" = "none",
    starts: int = 10,
    seed: int = 0,
    sites: Names = None,
    layers: Layers = None,
    reduction: "Reduction" = "mean",
    assignments: bool = False,
    tables: Tables = None,
    engine: "FitEngine" = "auto",
    address: str = "local",
    workers: int | None = None,
    progress: "Told" = False,
) -> Findings: ...


def kmeans(
    source: Any,
    k: int | range | None = None,
    *,
    y: ArrayLike | None = None,
    labels: str | None = None,
    scaling: "ScalingKind" = "none",
    starts: int = 10,
    seed: int = 0,
    sites: Names = None,
    layers: Layers = None,
    reduction: "Reduction" = "mean",
    assignments: bool = False,
    tables: Tables = None,
    engine: "FitEngine" = "auto",
    address: str = "local",
    workers: int | None = None,
    progress: "Told" = False,
) -> Clusters | Findings:
    """Cluster rows of an array, or every layer of a run, by k-means.

    Args:
        source: rows (n, D), or a run.
        k: number of clusters, for a run also a range of them; by default as many as there are classes.
        y: for arrays, classes to compare the clusters with, (n,).
        labels: for a run, one SELECT that gives clip_id and the label columns to compare with.
        scaling: "none", "zscore", "l2" or "pca" (whitened components).
        starts: k-means++ starts, of which the one of lowest inertia counts.
        seed: of the first start.
        sites: for a run, which sites; None for all.
        layers: for a run, which layers; None for all.
        reduction: for a run, which arrays: "mean", "std", "last", "segments" or "frames".
        assignments: for a run, store the cluster of every clip too.
        tables: for a run, tables of yours that the query may read, by name.
        engine: for a run, "inline", "ray", or "auto" by how long it takes.
        address: for a run, of the Ray cluster; "local" for a private one.
        workers: for a run, layers at once; as many as processors by default.
        progress: True shows progress; a function is called with every `Progress`.

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
        return clusters(source, k, y=y, scaling=scaling, starts=starts, seed=seed)
    if labels is None:
        raise InvalidInput('k-means of a run needs a query: labels="SELECT clip_id, genre FROM clips".')
    from jobs.kmeans.options import KmeansOptions
    from jobs.kmeans.running import fit_run
    from jobs.progress.reporters import told

    options = KmeansOptions(
        store=source.store_url,
        run=source.id,
        labels=labels,
        tables=arrow_tables(tables),
        k=_k_text(k),
        scaling=scaling,
        starts=starts,
        seed=seed,
        sites=names_text(sites),
        layers=layers_text(layers),
        reduction=reduction,
        assignments=assignments,
        engine=engine,
        address=address,
        workers=workers,
    )
    with told(progress):
        found = fit_run(options)
    said = found.summary
    notes: Sequence[str] = said["notes"]
    return Findings(
        answer_of(said["best"]), answer_of(found.rows), said["fitted"], said["known"], tuple(notes)
    )


def _k_text(k: int | range | None) -> str:
    """As an option of the command says it."""
    if k is None:
        return "auto"
    if isinstance(k, range):
        if k.step != 1 or not k:
            raise InvalidInput(f"k is {k!r}: give a range in steps of 1, such as range(2, 13).")
        return f"{k[0]}:{k[-1]}"
    return str(k)
