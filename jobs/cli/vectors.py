"""`undertone vectors`: list stored directions, how they overlap, and bring them to and from other tools."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from jobs.cli.options import complete_runs, format_option
from jobs.terminal.results import print_result
from jobs.terminal.tables import TABLE_FORMATS
from jobs.user_files import check_outside_stores
from store.errors import InvalidInput

LISTED = (
    "vector_id, run_id, concept, positive, negative, method, site, reduction, layer, score, random_score, "
    "within_random, within_chance, separability, cosine_to_mean_difference AS cosine_to_diffmean, clips, "
    "folds, created_at, model"
)

KEPT = (
    "score", "random_score", "layer", "site", "positive", "negative", "vector_id", "method", "within_random",
    "run_id",
)  # fmt: skip
"""Columns of the list by importance, for a narrow terminal."""
KEPT_OF_OVERLAP = (
    "norm_left",
    "mean_cosine",
    "random_cosine",
    "layer",
    "site",
    "positive",
    "closest",
    "method",
)

where_option = click.option(
    "--where", default="true", show_default=True, metavar="SQL",
    help="Condition that selects directions, on the columns of the view vectors.",
)  # fmt: skip
form_option = click.option(
    "--format", "form", default="table", show_default=True, help="How to print the result.",
    type=click.Choice(TABLE_FORMATS),
)  # fmt: skip


@click.group()
def vectors() -> None:
    """List stored directions, report how they overlap, export and import them."""


@vectors.command("list")
@click.argument("store")
@where_option
@form_option
def list_(store: str, where: str, form: Any) -> None:
    """List the directions of STORE, the best first.

    Fits of the same direction on other labels, folds or code are rows of their own: clips, folds and
    created_at tell them apart. NOT within_random leaves those out that random directions of the same place
    equal; NOT within_chance alone does not, where one direction of a place tells everything.

    \b
    Examples:
      undertone vectors list music.store
      undertone vectors list music.store \\
        --where "method = 'mse' AND positive = 'jazz' AND NOT within_random"
    """
    from jobs.directions.stored import catalog_with_vectors
    from jobs.terminal.tables import Narrow, write_result
    from store import open_store
    from store.catalog.query import run_query

    catalog = catalog_with_vectors(open_store(store))
    query = f"SELECT {LISTED} FROM typed.vectors WHERE ({where}) ORDER BY score DESC NULLS LAST, vector_id"  # noqa: S608
    write_result(run_query(catalog, query), form, narrow=Narrow(KEPT, ids=("vector_id", "run_id")))


@vectors.command()
@click.argument("store")
@where_option
@form_option
def superposition(store: str, where: str, form: Any) -> None:
    """Report how the directions of each place and method share its dimensions.

    A row per direction, of several fits of one the newest: its closest other one, the share of a dimension
    it has for itself, the length left of it after all others are projected out; and for its place the mean
    cosine against that of random directions, the Welch bound and the effective rank. Directions of the
    classes of one concept against the rest depend on each other: of C of them nothing is left (norm_left 0),
    and any two meet at a cosine of about -1/(C - 1). The view superposition has that as baseline_cosine.

    \b
    Examples:
      undertone vectors superposition music.store \\
        --where "method = 'diffmean' AND site = 'resid'"
      undertone vectors superposition music.store --format parquet \\
        > overlap.parquet
      undertone sql music.store --table overlap=overlap.parquet \\
        "SELECT positive, norm_left FROM overlap"
      undertone sql music.store \\
        "SELECT layer, method, mean_cosine, baseline_cosine FROM superposition"
    """
    import pyarrow as pa

    from jobs.directions.overlap import overlap_rows
    from jobs.directions.stored import read_vectors
    from jobs.terminal.tables import Narrow, write_result
    from store import open_store

    rows = overlap_rows(read_vectors(open_store(store), where, newest=True))
    if not rows:
        raise InvalidInput(
            f"No direction meets {where!r}; `undertone vectors list {quote(store)}` shows all."
        )
    write_result(
        pa.Table.from_pylist(rows), form, narrow=Narrow(KEPT_OF_OVERLAP, ids=("vector_id", "run_id"))
    )


@vectors.command()
@click.argument("store")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@where_option
@click.option(
    "--as",
    "file_form",
    default="safetensors",
    show_default=True,
    type=click.Choice(["safetensors", "npy"]),
    help="Format of the files: safetensors, or .npy (layers, D) with a JSON beside it.",
)
@format_option
def export(store: str, folder: Path, where: str, file_form: Any, format_: str) -> None:
    """Write directions of STORE into FOLDER: a file per concept, class, method and site, with all its layers.

    In safetensors they are named direction.<layer>, as repeng and steering-vectors users expect.

    \b
    Examples:
      undertone vectors export music.store exported \\
        --where "method = 'diffmean' AND site = 'resid'"
      undertone vectors export music.store exported --as npy
    """
    from jobs.directions.exchange import export_vectors
    from store import open_store

    check_outside_stores(folder)
    count, files = export_vectors(open_store(store), folder, where, file_form)
    print_result({"directions": count, "files": [file.name for file in files]}, format_)


@vectors.command("import")
@click.argument("store")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--run", shell_complete=complete_runs,
    help="Run of the model that the directions belong to, for a file of another tool.",
)  # fmt: skip
@click.option(
    "--site",
    default="resid",
    show_default=True,
    help="Site that the directions belong to, for a file of another tool.",
)
@click.option(
    "--concept",
    default="imported",
    show_default=True,
    help="Name of the concept, for a file of another tool.",
)
@click.option("--positive", help="Class that the directions point to, for a file of another tool.")
@format_option
def import_(
    store: str,
    file: Path,
    run: str | None,
    site: str,
    concept: str,
    positive: str | None,
    format_: str,
) -> None:
    """Add directions from FILE (.safetensors, or .npy with or without its JSON) to STORE.

    What Undertone exported comes back as it was. Other files do not say where they belong, so --run (for the
    model), --site and --positive do; the layer is the last number in the name of a tensor.

    \b
    Examples:
      undertone vectors import music.store \\
        exported/genre.jazz.diffmean.resid.mean.4f2a9c.safetensors
      undertone vectors import music.store happy.safetensors --run songs \\
        --concept mood --positive happy
    """
    from jobs.directions.exchange import import_vectors
    from store import open_store

    count, added = import_vectors(
        open_store(store), file, run=run, site=site, concept=concept, positive=positive
    )
    print_result({"directions": count, "added": added}, format_)
