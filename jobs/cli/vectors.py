"""`undertone vectors`: list stored directions, how they overlap, and bring them to and from other tools."""

from pathlib import Path
from shlex import quote
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import form_option, format_option
from jobs.directions.options import ExportOptions, ImportOptions, SelectOptions
from jobs.terminal.results import print_result
from jobs.user_files import check_outside_stores
from store.errors import InvalidInput

LISTED = (
    "vector_id, run_id, concept, positive, negative, method, site, reduction, layer, head, score, "
    "random_score, within_random, within_chance, separability, "
    "cosine_to_mean_difference AS cosine_to_diffmean, clips, folds, created_at, model"
)

KEPT = (
    "score", "random_score", "within_random", "layer", "site", "positive", "vector_id", "negative", "method",
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


@click.group()
def vectors() -> None:
    """List stored directions, report how they overlap, export and import them."""


@vectors.command("list")
@click.argument("store")
@options_of(SelectOptions)
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
@options_of(SelectOptions)
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
@options_of(ExportOptions)
@format_option
def export(format_: str, **values: Any) -> None:
    """Write directions of STORE into FOLDER: a file per concept, class, method and site, with all its layers.

    In safetensors they are named direction.<layer>, as repeng and steering-vectors users expect.

    \b
    Examples:
      undertone vectors export music.store exported \\
        --where "method = 'diffmean' AND site = 'resid'"
      undertone vectors export music.store exported --as npy
    """
    from jobs.directions.exchange import export_vectors

    options = ExportOptions(**values)
    check_outside_stores(options.folder)
    count, files = export_vectors(options)
    print_result({"directions": count, "files": [file.name for file in files]}, format_)


@vectors.command("import")
@click.argument("store")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options_of(ImportOptions)
@format_option
def import_(format_: str, **values: Any) -> None:
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

    count, added = import_vectors(ImportOptions(**values))
    print_result({"directions": count, "added": added}, format_)
