"""`undertone listen`: ask people what they hear in a sweep, and bring their ratings back.

undertone listen export STORE SWEEP --into DIR
undertone listen import STORE FILE…
"""

from pathlib import Path
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option
from jobs.listen.options import ListenOptions
from jobs.terminal.results import print_result
from jobs.user_files import check_outside_stores


@click.group()
def listen() -> None:
    """Ask people what they hear: a listening test as a page, and its ratings beside CLAP's."""


@listen.command()
@click.argument("store")
@click.argument("sweep")
@options_of(ListenOptions)
@format_option
def export(format_: str, **values: Any) -> None:
    """Write a listening test of SWEEP as a page that opens without a network.

    Each setting is heard twice. A rating after MUSHRA (ITU-R BS.1534): how like the unsteered sound are the
    steered one, its random control, the unsteered sound itself (hidden) and the same behind a low-pass
    filter. And a forced choice: which of the unsteered, steered and random sounds is most like the target.
    All are equally long and loud, their files bear no names, and their order follows from a seed per listener
    (index.html?seed=7). Answers are saved as one JSON file; what each sound is stays in STORE.

    \b
    Examples:
      undertone listen export music.store strength --into listening
      undertone listen export music.store layer-ablation --into listening \\
        --settings 12 --conditions 2
    """
    from jobs.listen.exporting import export_test

    options = ListenOptions(**values)
    check_outside_stores(options.folder)
    print_result(export_test(options), format_)


@listen.command("import")
@click.argument("store")
@click.argument("paths", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@format_option
def import_(store: str, paths: tuple[Path, ...], format_: str) -> None:
    """Bring ratings from FILE… into STORE, and say how they agree with CLAP.

    A file with anything wrong in it is refused, and then none is imported; one that was imported before
    changes nothing. The views `ratings` and `listening` hold what came.

    \b
    Examples:
      undertone listen import music.store ratings-3f2a9c10-7.json
      undertone sql music.store \\
        "SELECT setting_id, chosen, chance, clap_transfer FROM listening"
    """
    from jobs.listen.importing import import_ratings

    print_result(import_ratings(store, paths), format_)
