"""`undertone kmeans`: cluster every layer's activations and compare the clusters with labels."""

from typing import Any

import click

from jobs.cli.completion import run_argument
from jobs.cli.options import (
    address_option,
    fit_engine_option,
    format_option,
    labels_option,
    table_option,
    workers_option,
)
from jobs.kmeans.options import KmeansOptions


@click.command()
@click.argument("store")
@run_argument
@labels_option
@table_option
@click.option(
    "--k",
    default="auto",
    show_default=True,
    metavar="auto|N|LO:HI",
    help="Clusters: as many as the concept has classes, a number, or the best silhouette of a range.",
)
@click.option(
    "--scaling",
    default="none",
    show_default=True,
    type=click.Choice(["none", "zscore", "l2", "pca"]),
    help="Of the activations before: each feature to deviation 1, each row to length 1, or whitened.",
)
@click.option("--starts", default=10, show_default=True, help="Random starts; all of them are reported.")
@click.option("--seed", default=0, show_default=True, help="Of the first start; the others count on.")
@click.option(
    "--sites", default="all", show_default=True, help="all, or from embed, resid, attn, xattn, mlp."
)
@click.option("--layers", default="all", show_default=True, help="all, 0,5,11 or 4-7.")
@click.option(
    "--reduction",
    default="mean",
    show_default=True,
    type=click.Choice(["mean", "std", "last", "segments", "frames"]),
    help="What is clustered. Of segments and frames each is a point, and a clip gets its histogram.",
)
@click.option("--assignments", is_flag=True, help="Store each clip's cluster also where a clip is one point.")
@fit_engine_option
@address_option
@workers_option
@format_option
def kmeans(format_: str, **values: Any) -> None:
    """Cluster the activations of every layer of RUN and compare the clusters with labels.

    The view clusterings holds a row per layer, start and concept: inertia, ARI, NMI, AMI, homogeneity,
    completeness and silhouette. Of all starts that are stored for a k the one of lowest inertia is best, and
    of all k that are stored for a scaling the one of the best silhouette is chosen. What is stored already is
    not computed again; what was interrupted goes on.

    \b
    Examples:
      undertone kmeans music.store songs --labels "SELECT clip_id, genre FROM clips"
      undertone kmeans music.store songs --labels "SELECT clip_id, genre FROM clips" \\
        --k 2:12 --scaling zscore --sites resid --reduction frames
      undertone sql music.store \\
        "SELECT concept, scaling, site, layer, k, ari FROM clusterings WHERE chosen ORDER BY ari DESC"
    """
    from jobs.kmeans.report import print_clusterings
    from jobs.kmeans.running import fit_and_store

    print_clusterings(fit_and_store(KmeansOptions(**values)), format_)
