"""`undertone compare`: how alike layers of one or two runs are."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import form_option, run_argument
from jobs.compare.options import CompareOptions


@click.command()
@click.argument("store")
@run_argument
@click.argument("other", required=False)
@options_of(CompareOptions)
@form_option
def compare(form: Any, **values: Any) -> None:
    """Compare layers of RUN with those of OTHER, or with each other, by the clips that both have.

    The measure is linear CKA, debiased: 1 for layers that are the same but for rotation, shift and scale, 0
    on average for those that share nothing, also where clips are few and features many. Models and widths may
    differ. Its interval (95 %) is over groups of clips. What was compared is kept, in the view
    layer_similarities.

    \b
    Examples:
      undertone compare music.store songs
      undertone compare music.store songs songs-pocket-clap \\
        --array resid.mean,mlp.mean --layers 0-3
    """
    from jobs.compare.running import run_compare
    from jobs.terminal.tables import write_result

    found = run_compare(CompareOptions(**values))
    shown = ("array", "layer", "other_array", "other_layer", "cka", "cka_low", "cka_high", "clips")
    write_result(found.select(list(shown)), form)
