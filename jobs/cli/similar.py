"""`undertone similar`: find the clips that are nearest to one clip at a layer."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import form_option, run_argument
from jobs.similar.options import SimilarOptions
from store.errors import counted


@click.command()
@click.argument("store")
@run_argument
@click.argument("clip", required=False)
@options_of(SimilarOptions)
@form_option
def similar(form: Any, **values: Any) -> None:
    """Find the clips of RUN whose activations are nearest to those of CLIP; without CLIP, make an index.

    Every vector of the layer is looked at, a block at a time, so that memory does not grow with the run.
    With --indexed only some cells of an index are, which is kept in the store as a result: a run that has
    grown gets a new one.

    \b
    Examples:
      undertone similar music.store songs 9c1e0b5d2f7a4e38 --layer 12
      undertone similar music.store songs 9c1e0b5d2f7a4e38 --layer 12 \\
        --array attn.mean --metric euclidean
      undertone similar music.store songs --layer 12 --indexed
    """
    from jobs.similar.running import find_similar
    from jobs.terminal.tables import write_result
    from jobs.terminal.text import tell

    options = SimilarOptions(**values)
    if options.clip is None and not options.indexed:
        raise click.UsageError("Missing argument 'CLIP': the id of a clip; or --indexed, to make an index.")
    found = find_similar(options)
    if found.index is not None:
        made = "made and kept" if found.index.made_now else "kept"
        cells = counted(len(found.index.cells.members), "cell")
        searched = counted(options.nprobe, "cell")
        tell(
            f"note: index of {cells} over {counted(found.clips, 'clip')}, {made}; with {searched} searched "
            f"it finds {found.index.recall:.0%} of the ten nearest."
        )
    if options.clip is not None:
        write_result(found.table, form)
