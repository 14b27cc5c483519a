"""`undertone compare`: how alike layers of one or two runs are."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import form_option, run_argument
from jobs.compare.options import CompareOptions

PLACES = ("array", "layer", "other_array", "other_layer")
OF_CKA = ("cka", "cka_low", "cka_high", "clips")
OF_PROBES = (
    "concept", "through", "score", "score_low", "score_high", "control_high", "own_score", "verdict"
)  # fmt: skip
"""Columns that are shown."""


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

    With --labels probes are compared: one that was fitted on a layer of RUN is applied to a layer of OTHER,
    through a map that is fitted on the training folds and, where widths are equal, directly. Beside its score
    stand that of the probe fitted on the layer itself and that of shuffled labels (view probe_transfers).

    \b
    Examples:
      undertone compare music.store songs
      undertone compare music.store songs songs-pocket-clap \\
        --array resid.mean,mlp.mean --layers 0-3
      undertone compare music.store songs songs-pocket-clap \\
        --labels "SELECT clip_id, genre FROM clips"
    """
    from jobs.compare.matrix import matrices
    from jobs.compare.running import run_compare
    from jobs.compare.transfers import run_transfers
    from jobs.terminal.tables import write_result

    options = CompareOptions(**values)
    of_probes = options.labels is not None
    found = run_transfers(options) if of_probes else run_compare(options)
    if form == "table":
        click.echo(matrices(found, "score" if of_probes else "cka"))
    write_result(found.select([*PLACES, *(OF_PROBES if of_probes else OF_CKA)]), form)
