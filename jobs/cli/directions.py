"""`undertone directions`: fit a unit vector per class, layer and method, and test it on held-out clips."""

from inspect import cleandoc
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option, listed, run_argument
from jobs.directions.options import DirectionOptions
from store.extensions import DIRECTIONS


@click.command()
@click.argument("store")
@run_argument
@options_of(DirectionOptions)
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
      undertone directions music.store songs \\
        --labels "SELECT clip_id, genre FROM clips"
      undertone directions music.store songs \\
        --labels "SELECT clip_id, genre FROM clips" --method mse,diffmean,random \\
        --pair rock:jazz --sites resid --layers 4-8
      undertone sql music.store \\
        "SELECT layer, positive, method, score FROM vectors \\
         WHERE NOT within_random"
    """
    from jobs.directions.fitting import run_directions
    from jobs.directions.report import print_directions

    print_directions(run_directions(DirectionOptions(**values)).summary, format_)


directions.help = cleandoc(directions.help or "").replace("  {methods}", listed(DIRECTIONS))
