"""`undertone explore`: see, hear and steer what a store holds, in a browser."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.explore.options import ExploreOptions


@click.command()
@click.argument("store")
@options_of(ExploreOptions)
def explore(**values: Any) -> None:
    """Open STORE in a page of this machine: a map of clips that play, and steering along what is picked.

    The page is a notebook of marimo. It answers at 127.0.0.1 alone, to whoever has the address that is
    printed, token and all. Ctrl-C ends it.

    \b
    Examples:
      undertone explore music.store
      undertone explore s3://bucket/music.store --write
      undertone explore music.store --edit mine.py
    """
    from jobs.explore.serving import start_explorer
    from jobs.terminal.text import tell
    from store.errors import JobFailed

    with start_explorer(ExploreOptions(**values)) as explorer:
        tell("Open this address in a browser of this machine; Ctrl-C ends it.")
        click.echo(explorer.url)
        if code := explorer.process.wait():
            raise JobFailed(f"The explorer's server ended with {code}: start it again.")
