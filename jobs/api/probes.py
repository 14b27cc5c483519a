"""Python's `probe`: of arrays, or of every layer of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Required, Unpack, overload

from numpy.typing import ArrayLike

from analysis.concepts import Kind, Loss
from analysis.probes.probe import Probe, probe_arrays
from jobs.api.answers import Answer, Findings
from jobs.api.keywords import FitOfRun, documented, of_arrays, options_from
from jobs.api.runs import Run
from jobs.api.values import Layers, Names
from jobs.probe.options import ProbeOptions
from store.errors import InvalidInput


class Probed(FitOfRun, total=False):
    """How layers of a run are probed."""

    labels: Required[Annotated[str, "for a run, one SELECT that gives clip_id and label columns."]]
    heads: Annotated[
        Layers, 'for a run, attention heads of the site "head", read one by one, such as [0, 3] or "all".'
    ]
    loss: Annotated[
        Loss | Sequence[Loss],
        '"mse" (ridge), or for classes "logistic", "logistic_ovr" (one class against the rest) or a '
        "plug-in's; for a run one or several.",
    ]
    split: Annotated[
        Literal["groups", "official"],
        'for a run, "groups" (cross-validation) or "official" (the dataset\'s test rows).',
    ]
    folds: int
    reductions: Annotated[
        Names, 'for a run, which arrays, from "mean", "std", "last", "segments", "frames"; None for all.'
    ]
    penalties: Annotated[
        Sequence[float] | None,
        "to choose from, above 0, per training row and unit of variance; by default ten from 0.0001 to "
        "100000.",
    ]
    controls: int
    handcrafted: Annotated[bool, "for a run, probe statistics of the audio itself too, where it is at hand."]
    keep_factors: Annotated[bool, "for a run, keep factorisations for later labels of the same clips."]
    seed: Annotated[int, "of the shuffles."]
    roots: Annotated[
        Mapping[str, str | Path] | None, "for a run, where the audio of a dataset is, by its name."
    ]


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
def probe(source: Run, **given: Unpack[Probed]) -> Findings: ...


@documented(Probed, ProbeOptions, labels=None)
def probe(
    source: Any,
    y: ArrayLike | None = None,
    *,
    groups: ArrayLike | None = None,
    kind: Kind | None = None,
    splits: ArrayLike | None = None,
    **given: Any,
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
        splits: for arrays, names of an official split, (n,): scored on "test" or "validation".

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
    if isinstance(source, Run):
        return _of_run(source, given)
    if y is None:
        raise InvalidInput("A probe of arrays needs labels: probe(X, y, groups=…).")
    return probe_arrays(source, y, groups=groups, kind=kind, splits=splits, **of_arrays(given))


def _of_run(run: Run, given: Mapping[str, Any]) -> Findings:
    if given["labels"] is None:
        raise InvalidInput(
            'Probes of a run need a query: labels="SELECT clip_id, genre FROM clips". Those of arrays need X '
            "and y."
        )
    from jobs.probe.report import best_layers
    from jobs.probe.running import probe_run
    from jobs.progress.reporters import told
    from store.results.fits import PROBES

    options = options_from(ProbeOptions, given, store=run.store_url, run=run.id)
    with told(given.get("progress", False)):
        found = probe_run(options)
    best = Answer(PROBES.of(best_layers(PROBES.rows(found.table))))
    return Findings(best, Answer(found.table), found.fitted, found.known, tuple(found.notes))
