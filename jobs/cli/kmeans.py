"""`undertone kmeans`: cluster every layer's activations and compare the clusters with labels."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option, run_argument
from jobs.kmeans.options import KmeansOptions


@click.command()
@click.argument("store")
@run_argument
@options_of(KmeansOptions)
@format_option
def kmeans(format_: str, **values: Any) -> None:
    """Cluster the activations of every layer of RUN and compare the clusters with labels.

    The view clusterings holds a row per layer, start and concept: inertia, ARI, NMI, AMI, homogeneity,
    completeness and silhouette. Of all starts that are stored for a k the one of lowest inertia is best, and
    of all k that are stored for a scaling the one of the best silhouette is chosen. What is stored already is
    not computed again; what was interrupted goes on.

    \b
    Examples:
      undertone kmeans music.store songs \\
        --labels "SELECT clip_id, genre FROM clips"
      undertone kmeans music.store songs \\
        --labels "SELECT clip_id, genre FROM clips" --k 2:12 --scaling zscore \\
        --sites resid --reduce frames
      undertone sql music.store \\
        "SELECT concept, scaling, site, layer, k, ari FROM clusterings \\
         WHERE chosen ORDER BY ari DESC"
    """
    from jobs.kmeans.report import print_clusterings
    from jobs.kmeans.running import run_kmeans

    print_clusterings(run_kmeans(KmeansOptions(**values)).summary, format_)
