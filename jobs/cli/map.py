"""`undertone map`: draw the clips of a layer in a plane, for other programs."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import form_option, run_argument
from jobs.maps.options import MapOptions


@click.command()
@click.argument("store")
@run_argument
@options_of(MapOptions)
@form_option
def map(form: Any, **values: Any) -> None:  # noqa: A001  # commands are found by their names
    """Draw the clips of RUN at a layer as a map: where each lies in the plane.

    Without --export the map is a table: clip_id, x, y. The file of --export has all columns of the clips
    beside, and opens in Embedding Atlas, pandas or DuckDB. `undertone explore` shows maps and plays them.

    \b
    Examples:
      undertone map music.store songs --layer 5 --format csv
      undertone map music.store songs --layer 5 --method umap \\
        --export map.parquet --with-audio
    """
    from jobs.maps.drawing import draw_map
    from jobs.maps.exporting import described, export_map
    from jobs.terminal.tables import write_result
    from jobs.terminal.text import tell
    from store.opening import open_store

    options = MapOptions(**values)
    if options.with_audio and options.export is None:
        raise click.UsageError("--with-audio writes sounds into a file: name it with --export FILE.parquet.")
    drawn = draw_map(options)
    for note in drawn.notes:
        tell(f"note: {note}")
    store = open_store(options.store)
    if options.export is None:
        write_result(described(store, drawn).select(["clip_id", "x", "y"]), form)
        return
    export_map(store, drawn, options.export, audio=options.with_audio, roots=options.roots)
    tell(f"{len(drawn.clip_ids):,} clips in {options.export}. Open it: embedding-atlas FILE --x x --y y")
