"""`undertone directions`: fit a unit vector per class, layer and method, and test it on held-out clips."""

from inspect import cleandoc
from typing import Any

import click

from jobs.cli.completion import run_argument
from jobs.cli.extension_names import ExtensionNames, listed
from jobs.cli.options import (
    address_option,
    fit_engine_option,
    format_option,
    labels_option,
    table_option,
    workers_option,
)
from jobs.directions.options import DirectionOptions
from store.extensions import DIRECTIONS


@click.command()
@click.argument("store")
@run_argument
@labels_option
@table_option
@click.option(
    "--method",
    "methods",
    default="all",
    show_default=True,
    type=ExtensionNames(DIRECTIONS, "all"),
    help="One or several, separated by commas; all means those that are built in. mse:0.1 and logistic:0.1 "
    "name their penalty, which is chosen on held-out folds otherwise.",
)
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="SOURCE:TARGET",
    help="From one class to another, instead of every class against the rest; may be repeated.",
)
@click.option(
    "--sites", default="all", show_default=True, help="all, or from embed, resid, attn, xattn, mlp."
)
@click.option("--layers", default="all", show_default=True, help="all, 0,5,11 or 4-7.")
@click.option("--folds", default=5, show_default=True, help="Parts that are held out in turn, cut by group.")
@click.option("--seed", default=0, show_default=True, help="Of the random control directions.")
@fit_engine_option
@address_option
@workers_option
@format_option
def directions(format_: str, **values: Any) -> None:
    """Fit directions that tell classes apart at every pooled layer of RUN; the view vectors shows them.

    Every direction has length 1 and points to its class. Its projections, separability and score are
    measured on clips that were held out of the fit, and within_random says whether random directions of the
    same place score as much. What is stored already is not fitted again.

    \b
    Methods:
      {methods}

    \b
    Examples:
      undertone directions music.store songs --labels "SELECT clip_id, genre FROM clips"
      undertone directions music.store songs --labels "SELECT clip_id, genre FROM clips" \\
        --method mse,diffmean,random --pair rock:jazz --sites resid --layers 4-8
      undertone sql music.store "SELECT layer, positive, method, score FROM vectors WHERE NOT within_random"
    """
    from jobs.directions.fitting import fit_and_store
    from jobs.directions.report import print_directions

    print_directions(fit_and_store(DirectionOptions(**values)), format_)


directions.help = cleandoc(directions.help or "").replace("  {methods}", listed(DIRECTIONS))
