"""Python's `probe`: of arrays, or of every layer of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import ArrayLike

from analysis.concepts import Kind, Loss
from analysis.probes import probe as probes
from analysis.probes.probe import Probe
from jobs.api.answers import Findings, answer_of
from jobs.api.runs import Run
from jobs.api.values import (
    Layers,
    Names,
    Tables,
    arrow_tables,
    layers_text,
    names_text,
    numbers_text,
    roots_texts,
)
from store.errors import InvalidInput

if TYPE_CHECKING:
    from jobs.execution import FitEngine
    from jobs.progress.reporters import Told


@overload
def probe(
    source: ArrayLike,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    kind: Kind | None = None,
    loss: Loss = "mse",
    folds: int = 5,
    splits: ArrayLike | None = None,
    penalties: Sequence[float] | None = None,
    controls: int = 5,
    seed: int = 0,
) -> Probe: ...


@overload
def probe(
    source: Run,
    *,
    labels: str,
    loss: Loss | Sequence[Loss] = "mse",
    split: Literal["groups", "official"] = "groups",
    folds: int = 5,
    sites: Names = None,
    layers: Layers = None,
    reductions: Names = ("mean", "std", "last"),
    penalties: Sequence[float] | None = None,
    controls: int = 5,
    handcrafted: bool = True,
    keep_factors: bool = False,
    seed: int = 0,
    tables: Tables = None,
    roots: Mapping[str, str | Path] | None = None,
    engine: "FitEngine" = "auto",
    address: str = "local",
    workers: int | None = None,
    progress: "Told" = False,
) -> Findings: ...


def probe(
    source: Any,
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    kind: Kind | None = None,
    labels: str | None = None,
    loss: Any = "mse",
    split: Literal["groups", "official"] = "groups",
    splits: ArrayLike | None = None,
    folds: int = 5,
    sites: Names = None,
    layers: Layers = None,
    reductions: Names = ("mean", "std", "last"),
    penalties: Sequence[float] | None = None,
    controls: int = 5,
    handcrafted: bool = True,
    keep_factors: bool = False,
    seed: int = 0,
    tables: Tables = None,
    roots: Mapping[str, str | Path] | None = None,
    engine: "FitEngine" = "auto",
    address: str = "local",
    workers: int | None = None,
    progress: "Told" = False,
) -> Probe | Findings:
    """Fit a linear probe to arrays, or probes to every layer of a run.

    Rows of one group are never on both sides of a split, and the penalty is chosen inside the training
    groups alone. A score stands beside its 95 % interval over groups, what a constant answer scores, and the
    same fit to labels of other groups; the verdict says which of them it beats. Probes of a run are stored,
    and not fitted again.

    Args:
        source: features (n, D), such as the mean over time of a layer; or a run.
        y: for arrays, a label per row, (n,): text and booleans are classes, numbers are regressed; None and
            NaN are left out.
        groups: for arrays, what a split must not cut through, (n,), such as artists or recordings; by default
            every row is a group of its own.
        kind: for arrays, "class" or "number" where y is not what its type says, such as classes 0, 1, 2.
        labels: for a run, one SELECT that gives clip_id and label columns.
        loss: "mse" (ridge), or for classes "logistic", "logistic_ovr" (one class against the rest) or
            a plug-in's; for a run one or several.
        split: for a run, "groups" (cross-validation) or "official" (the dataset's test rows).
        splits: for arrays, names of an official split, (n,): scored on "test" or "validation".
        folds: parts that are held out in turn.
        sites: for a run, which sites; None for all.
        layers: for a run, which layers, such as range(4, 8); None for all.
        reductions: for a run, which arrays, from "mean", "std", "last", "segments", "frames".
        penalties: to choose from, above 0, per training row and unit of variance; by default ten from 0.0001
            to 100000.
        controls: shuffled labellings to compare with.
        handcrafted: for a run, probe statistics of the audio itself too, where it is at hand.
        keep_factors: for a run, keep factorisations for later labels of the same clips.
        seed: of the shuffles.
        tables: for a run, tables of yours that the query may read, by name.
        roots: for a run, where the audio of a dataset is, by its name.
        engine: for a run, "inline", "ray", or "auto" by how long it takes.
        address: for a run, of the Ray cluster; "local" for a private one.
        workers: for a run, tasks at once; as many as processors by default.
        progress: True shows progress; a function is called with every `Progress`.

    Raises:
        InvalidInput: shapes that do not fit, values that are not finite, or nothing to tell apart.
        QueryRefused: the query is wrong.

    Examples:
        >>> import numpy as np
        >>> random = np.random.default_rng(0)
        >>> artists = np.repeat(np.arange(20), 4)
        >>> y = np.where(artists % 2, "jazz", "rock")
        >>> X = random.normal(size=(80, 8)) + 2 * (y == "jazz")[:, None]
        >>> result = probe(X, y, groups=artists)
        >>> result.verdict
        'better than both'
        >>> result.score > 0.9 and result.control.score < 0.75
        True
    """
    if not isinstance(source, Run):
        if y is None:
            raise InvalidInput("A probe of arrays needs labels: probe(X, y, groups=…).")
        return probes.probe(
            source,
            y,
            groups=groups,
            kind=kind,
            loss=loss,
            folds=folds,
            splits=splits,
            penalties=penalties,
            controls=controls,
            seed=seed,
        )
    if labels is None:
        raise InvalidInput(
            'Probes of a run need a query: labels="SELECT clip_id, genre FROM clips". Those of arrays need X '
            "and y."
        )
    from jobs.probe.options import ProbeOptions
    from jobs.probe.report import best_layers
    from jobs.probe.running import probe_run
    from jobs.progress.reporters import told

    options = ProbeOptions(
        store=source.store_url,
        run=source.id,
        labels=labels,
        tables=arrow_tables(tables),
        loss=names_text(loss),
        split=split,
        folds=folds,
        sites=names_text(sites),
        layers=layers_text(layers),
        reduce=names_text(reductions, every="mean,std,last,segments,frames"),
        strengths=numbers_text(penalties),
        controls=controls,
        handcrafted=handcrafted,
        keep_factors=keep_factors,
        seed=seed,
        engine=engine,
        address=address,
        workers=workers,
        roots=roots_texts(roots),
    )
    with told(progress):
        found = probe_run(options)
    rows = found.table.to_pylist()
    best = answer_of(best_layers(rows))
    return Findings(best, answer_of(rows), found.fitted, found.known, tuple(found.notes))
