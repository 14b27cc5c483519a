"""`undertone probe`: fit linear probes to every layer of a run, for any labels that SQL can name."""

from typing import Any

import click

from jobs.cli.completion import run_argument
from jobs.cli.extension_names import ExtensionNames
from jobs.cli.options import (
    address_option,
    fit_engine_option,
    format_option,
    labels_option,
    root_option,
    table_option,
    workers_option,
)
from jobs.probe.options import ProbeOptions
from store.extensions import PROBES


@click.command()
@click.argument("store")
@run_argument
@labels_option
@table_option
@click.option(
    "--loss",
    default="mse",
    show_default=True,
    type=ExtensionNames(PROBES, "mse"),
    help="One or several, separated by commas: mse (ridge), logistic, logistic_ovr (one class against the "
    "rest) and those of plug-ins, on the same splits.",
)
@click.option(
    "--split",
    default="groups",
    show_default=True,
    type=click.Choice(["groups", "official"]),
    help="groups: cross-validation by group; official: score on the dataset's test rows.",
)
@click.option("--folds", default=5, show_default=True, help="Parts that are held out in turn, cut by group.")
@click.option(
    "--sites", default="all", show_default=True, help="all, or from embed, resid, attn, xattn, mlp."
)
@click.option("--layers", default="all", show_default=True, help="all, 0,5,11 or 4-7.")
@click.option(
    "--reduce",
    default="mean,std,last",
    show_default=True,
    help="Which arrays of the run to read, from mean, std, last, segments, frames.",
)
@click.option(
    "--strengths",
    default="auto",
    show_default=True,
    help="Penalties to choose from, like 0.01,1,100; auto is ten from 0.0001 to 100000.",
)
@click.option("--controls", default=5, show_default=True, help="Shuffled labellings to compare with.")
@click.option(
    "--handcrafted/--no-handcrafted",
    default=True,
    show_default=True,
    help="Probe mel, MFCC and chroma statistics of the audio too; they are computed once and kept.",
)
@click.option(
    "--keep-factors/--no-keep-factors",
    default=False,
    show_default=True,
    help="Keep factorisations for later concepts on the same clips: about 8 · D² · folds · (folds + 1) / 2 "
    "bytes a layer, 126 MB for 1,024 features and 5 folds.",
)
@click.option("--seed", default=0, show_default=True, help="Of the shuffled labels.")
@fit_engine_option
@address_option
@workers_option
@root_option
@format_option
def probe(format_: str, **values: Any) -> None:
    """Fit linear probes for the labels on every chosen layer of RUN; the view probes shows them.

    Every score is of clips whose group the probe has not seen, with the penalty chosen inside the training
    groups, and stands beside its interval, a baseline, a control with shuffled labels and, where the audio
    is at hand, handcrafted features; the verdict says which of them it beats. What the split does not let be
    measured is said and skipped. What is stored already is not fitted again.

    \b
    Examples:
      undertone probe music.store songs --labels "SELECT clip_id, genre FROM clips"
      undertone probe music.store songs --labels "SELECT clip_id, genre, tempo_bpm FROM clips" \\
        --loss mse,logistic --sites resid --layers 4-8
      undertone probe music.store songs --table mine=moods.csv --labels "SELECT clip_id, mood FROM mine"
    """
    from jobs.probe.report import print_probed
    from jobs.probe.running import probe_run

    print_probed(probe_run(ProbeOptions(**values)), format_)
