"""`undertone dataset`: add, render, list, show, remove and rename datasets.

undertone dataset add STORE NAME PATH
undertone dataset synth STORE NAME
"""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import complete_datasets, dry_run_option, format_option, listed
from jobs.dataset.options import AddRequest, SynthRequest
from jobs.dataset.printing import print_added
from jobs.terminal.results import print_result, readable_bytes
from store.extensions import DATASETS

dataset_name = click.argument("name", shell_complete=complete_datasets)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def dataset() -> None:
    """Add, render, list, show, remove and rename the datasets of a store."""


@dataset.command()
@click.argument("store")
@click.argument("name")
@click.argument("path")
@options_of(AddRequest)
@json_option
def add(as_json: bool, **values: Any) -> None:
    """Cut the recordings at PATH into clips and list them as dataset NAME of STORE.

    STORE is a folder (made if it is not there) or a URL such as s3://bucket/prefix. PATH is a folder,
    a table file (CSV, TSV, Parquet, JSON, JSON lines) beside its audio, or a URL of either that every worker
    can reach. The audio is read where it is and never copied. Files that cannot be used are listed in
    the store's `failures` view with the reason; they stop nothing.

    \b
    Formats:
      {formats}

    Plug-ins may add formats, which --format names.

    \b
    Examples:
      undertone dataset add music.store songs ~/Music/by-genre
      undertone dataset add music.store songs songs.csv --clip-seconds 5 \\
        --hop-seconds 2.5
      undertone dataset add music.store songs ~/Music/by-genre --listen
      undertone dataset add music.store fma /data/fma/fma_small
      undertone dataset add s3://lab/store gtzan s3://lab/audio/gtzan \\
        --format gtzan
    """
    from jobs.dataset.adding import add_dataset

    print_added(add_dataset(AddRequest(**values)), as_json=as_json)


add.help = cleandoc(add.help or "").replace("  {formats}", listed(DATASETS))


@dataset.command()
@click.argument("store")
@click.argument("name")
@options_of(SynthRequest)
@json_option
def synth(as_json: bool, **values: Any) -> None:
    """Render labelled music into STORE as dataset NAME.

    The audio files are kept in the store, in datasets/NAME/audio.

    \b
    Examples:
      undertone dataset synth music.store theory --clips 2000
      undertone dataset synth music.store tempo --concepts tempos,styles \\
        --clips 500 --seed 7
    """
    from jobs.dataset.rendering import synthesize_dataset

    print_added(synthesize_dataset(SynthRequest(**values)), as_json=as_json)


@dataset.command("list")
@click.argument("store")
@format_option
def list_(store: str, format_: str) -> None:
    """List the datasets of STORE.

    \b
    Examples:
      undertone dataset list music.store
    """
    from jobs.upkeep.datasets import listed_datasets
    from jobs.upkeep.printing import print_rows
    from store import open_store

    rows = listed_datasets(open_store(store))
    print_rows(rows, format_, _shown, none="There are no datasets; `undertone dataset add` makes one.")


@dataset.command()
@click.argument("store")
@dataset_name
@format_option
def show(store: str, name: str, format_: str) -> None:
    """Show one dataset: where its audio is, its labels, and everything that was made from it.

    \b
    Examples:
      undertone dataset show music.store songs
    """
    from jobs.upkeep.datasets import shown_dataset
    from store import open_store

    print_result(shown_dataset(open_store(store), name), format_)


@dataset.command()
@click.argument("store")
@dataset_name
@click.option("--even-if-used", is_flag=True, help="Remove it although runs came from it; they stay.")
@dry_run_option
@format_option
def remove(store: str, name: str, even_if_used: bool, dry_run: bool, format_: str) -> None:
    """Remove dataset NAME from STORE, with its codes and features, and audio that the store keeps.

    Recordings outside the store are not touched. A dataset that runs came from stays, unless --even-if-used
    is given: they lose its clips and labels then, and `undertone status` and `verify` say so. Refuses while a
    command is at work on a run of it. If it is interrupted, the same command finishes it.

    \b
    Examples:
      undertone dataset remove music.store songs --dry-run
      undertone dataset remove music.store songs
    """
    from jobs.upkeep.datasets import take_dataset_away
    from store import open_store

    print_result(take_dataset_away(open_store(store), name, used_too=even_if_used, dry_run=dry_run), format_)


@dataset.command()
@click.argument("store")
@dataset_name
@click.argument("new")
@dry_run_option
@format_option
def rename(store: str, name: str, new: str, dry_run: bool, format_: str) -> None:
    """Rename dataset NAME of STORE to NEW, while no run came from it.

    The ids of clips are made of the name, so they become those that `undertone dataset add` would give under
    the new one, and codes and features go. Once a run recorded the ids, the name stays: the message says what
    to do instead. If it is interrupted, the same command finishes it.

    \b
    Examples:
      undertone dataset rename music.store sogns songs
    """
    from jobs.upkeep.renaming import rename_dataset
    from store import open_store

    print_result(rename_dataset(open_store(store), name, new, dry_run=dry_run), format_)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dataset": row["dataset"],
        "format": row["format"],
        "clips": f"{row['clips']:,}",
        "hours": f"{row['hours']:.2f}",
        "failed": f"{row['failures']:,}",
        "runs": row["runs"],
        "size": readable_bytes(row["bytes"]),
    }
