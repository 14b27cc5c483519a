"""The views of results: what each holds, and which command makes its first row."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResultView:
    """A view that is there once a command has written results for it."""

    comment: str
    command: str
    """What to run, without options that have defaults."""
    newest_of: tuple[str, ...] = ()
    """Of rows that agree in these columns those of one part count, the newest: two commands at once may write
    the same, and a later one may replace what an earlier one found."""


_LABELS = '--labels "SELECT clip_id, … FROM clips"'
_PROBE = f"undertone probe STORE RUN {_LABELS}"
_SWEEP = "undertone sweep STORE NAME"
_EVALUATE = "undertone evaluate STORE --dataset NAME --prompts CONCEPT=CLASS,CLASS"

_ITEM = ("item_id", "dataset", "sha256")

RESULT_VIEWS: Mapping[str, ResultView] = {
    "probes": ResultView(
        "what linear probes read: a row per place, concept and loss, and one per class of the concept", _PROBE
    ),
    "confusions": ResultView("held-out clips per probe, true class and class that the probe named", _PROBE),
    "results_labels": ResultView(
        "labels as fits have used them: a row per concept and clip, by labels_hash", _PROBE
    ),
    "assignments": ResultView(
        "where each clip fell in a k-means of its frames or segments: its most frequent one, and all",
        f"undertone kmeans STORE RUN --reduce frames {_LABELS}",
    ),
    "vectors": ResultView(
        "directions: a unit vector per place, method and contrast, and what held-out clips say of it",
        f"undertone directions STORE RUN {_LABELS}",
    ),
    "neighbour_cells": ResultView(
        "indexes of layers: the cells that `undertone similar --indexed` searches",
        "undertone similar STORE RUN --layer N --indexed",
    ),
    "layer_similarities": ResultView(
        "how alike layers are, of one run or two: debiased CKA, a row per pair of layers",
        "undertone compare STORE RUN OTHER",
        newest_of=("run_id", "array", "layer", "other_run_id", "other_array", "other_layer"),
    ),
    "probe_transfers": ResultView(
        "how probes of one layer do on another, of one run or two: a row per pair, concept and way",
        f"undertone compare STORE RUN OTHER {_LABELS}",
        newest_of=(
            "run_id",
            "array",
            "layer",
            "other_run_id",
            "other_array",
            "other_layer",
            "concept",
            "through",
        ),
    ),
    "clip_maps": ResultView(
        "maps of layers that are kept: where each clip lies in the plane",
        "undertone map STORE RUN --layer N --method umap",
        newest_of=("run_id", "array", "layer", "method", "seed"),
    ),
    "selections": ResultView(
        "clips that somebody has picked and named, with a label each; a name that is saved again is replaced",
        "undertone explore STORE --write",
        newest_of=("selection",),
    ),
    "generations": ResultView(
        "generated sounds: a row each, with all that decides it",
        'undertone generate STORE --prompt "…" -o FILE',
        newest_of=("generation_id",),
    ),
    "sweep_generations": ResultView(
        "where each generation stands in a sweep: its setting, prompt and split", _SWEEP
    ),
    "strengths": ResultView("automatic strengths of sweeps: a row per unsteered sound and edit", _SWEEP),
    "cross_effects": ResultView(
        "interference: how fast every scored class changes with the strength of each direction",
        _SWEEP,
        newest_of=("sweep_id",),
    ),
    "scorer_accuracy": ResultView(
        "how often each scorer of a sweep names the class of labelled clips",
        _SWEEP,
        newest_of=("sweep_id",),
    ),
    "similarities": ResultView(
        "how alike a generation and its reference are over time",
        _SWEEP,
        newest_of=("item_id", "reference_id", "measure", "version"),
    ),
    "embeddings": ResultView(
        "CLAP embeddings: a unit vector per clip or generation",
        _EVALUATE,
        newest_of=(*_ITEM, "clap_fingerprint"),
    ),
    "evaluations": ResultView(
        "scores of clips and generations: a row per item, scorer, measure and class",
        _EVALUATE,
        newest_of=(*_ITEM, "scorer", "scorer_version", "concept", "class", "prompt_set", "measure"),
    ),
    "recordings": ResultView(
        "files of datasets: length, rate and checksum, or why they give no clips",
        "undertone dataset add STORE NAME PATH",
        newest_of=("dataset", "uri", "cut"),
    ),
    "ratings": ResultView(
        "answers of listeners: a row per trial and sound", "undertone listen import STORE FILE"
    ),
    "listening_sounds": ResultView(
        "the key of listening tests: what each sound is", "undertone listen export STORE SWEEP --into DIR"
    ),
}


def result_comment(view: str, kind: str) -> str:
    """What stands beside the name of a view that shows the results of one kind."""
    if view in RESULT_VIEWS:
        return RESULT_VIEWS[view].comment
    if view != kind:
        return f"results/{kind} as it was written; the view {kind} says what counts"
    return f"results of the kind {kind}"


def newest_of(view: str) -> tuple[str, ...]:
    """Columns in which rows agree of which only the newest count; none for views that show all rows."""
    return RESULT_VIEWS[view].newest_of if view in RESULT_VIEWS else ()


def absence(view: str) -> str | None:
    """Why a view is not there and how it comes to be; None for a name that no command makes."""
    known = RESULT_VIEWS.get(view.lower())
    return None if known is None else f"this store has no {view.lower()} yet: `{known.command}` makes them"
