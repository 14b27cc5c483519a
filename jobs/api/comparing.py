"""Python's `compare`: how alike layers of one or two runs are."""

from typing import Annotated, TypedDict, Unpack

from jobs.api.answers import Answer
from jobs.api.keywords import documented, options_from
from jobs.api.runs import Run
from jobs.api.values import Tables
from jobs.compare.options import CompareOptions
from jobs.progress.reporters import Told


class ComparedLayers(TypedDict, total=False):
    """Which layers are compared."""

    array: Annotated[str, 'arrays with one vector per clip, such as "resid.mean"; several by commas.']
    other_array: Annotated[
        str | None,
        "likewise of the other run; by default the same ones where it has them, else all its means.",
    ]
    layers: Annotated[str, 'by number, in both: "all", "0,5,11" or "4-7".']
    labels: Annotated[
        str | None,
        "a query that gives clip_id and label columns: probes of each layer are applied to each other one.",
    ]
    tables: Annotated[Tables, "tables of yours that the query may read, by name."]
    folds: int
    controls: int
    progress: Annotated[Told, "True shows progress; a function is called with every `Progress`."]


@documented(ComparedLayers, CompareOptions)
def compare(run: Run, other: Run | None = None, **given: Unpack[ComparedLayers]) -> Answer:
    """Compare layers by debiased linear CKA or, with labels, by what probes of one do on another.

    CKA is 1 up to rotation, shift and scale, and 0 where nothing is shared.

    Args:
        run: whose layers.
        other: a run of the same clips in the same store, also of another model; by default the run itself.

    Returns:
        Rows of the view `layer_similarities`, one per pair of layers; with labels of `probe_transfers`, one
        per pair, concept and way: "map" (what the probe says is predicted from the other layer, by ridge
        regression on the training folds) and, where widths are equal, "direct".

    Raises:
        NotFound: there is no such array or layer.
        InvalidInput: the runs share too few clips, or an array has several vectors per clip.
        QueryRefused: the query is wrong.

    Examples:
        >>> compare(store.run("songs"), layers="3")["other_layer"]
        [3]
    """
    from jobs.compare.running import run_compare
    from jobs.compare.transfers import run_transfers
    from jobs.progress.reporters import told

    named = None if other is None else other.id
    options = options_from(CompareOptions, given, store=run.store_url, run=run.id, other=named)
    with told(given.get("progress", False)):
        return Answer(run_compare(options) if options.labels is None else run_transfers(options))
