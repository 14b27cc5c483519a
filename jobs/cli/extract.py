"""`undertone extract`: labelled audio → codec tokens → activations of every layer → shards of a run."""

from typing import Any

import click

from jobs.cli.completion import dataset_argument
from jobs.cli.extension_names import ExtensionNames
from jobs.cli.options import (
    address_option,
    dtype_option,
    engine_option,
    format_option,
    gpus_per_worker_option,
    print_result,
    root_option,
    shared_filesystem_option,
)
from jobs.extract.options import ExtractOptions
from store.extensions import MODELS


@click.command()
@click.argument("store")
@dataset_argument
@click.option(
    "--model",
    default="pocket",
    show_default=True,
    type=ExtensionNames(MODELS, "PATH", "facebook/…"),
    help="pocket, a hub name such as facebook/musicgen-small, a checkpoint folder, or a plug-in's name.",
)
@click.option(
    "--sites", default="resid,attn,mlp", show_default=True, help="From embed, resid, attn, xattn, mlp."
)
@click.option("--layers", default="all", show_default=True, help="all, 0,5,11 or 4-7.")
@click.option("--reduce", default="mean", show_default=True, help="From mean, std, last, segments, frames.")
@click.option("--segments", default=10, show_default=True, help="Bins over time for --reduce segments.")
@click.option(
    "--text",
    default="",
    metavar="TEMPLATE",
    help='Text condition, with labels in braces: "a {instrument} solo". Empty by default.',
)
@dtype_option
@click.option(
    "--device",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="auto takes a GPU where there is one; say cuda for a cluster whose GPU nodes are yet to start.",
)
@click.option(
    "--batch-clips",
    default=16,
    show_default=True,
    help="Clips per forward pass. Part of a run's identity, since sums depend on it in the last bits.",
)
@click.option("--unit-clips", default=64, show_default=True, help="Clips per unit: what a crash can cost.")
@click.option(
    "--compression",
    default="none",
    show_default=True,
    type=click.Choice(["none", "zstd"]),
    help="Of the stored arrays; activations hardly compress, and reading gets slower.",
)
@engine_option
@address_option
@click.option(
    "--workers",
    type=int,
    help="Processes that hold a model; one per GPU or CPU core by default. "
    "On a cluster that scales, say how many you want.",
)
@click.option(
    "--threads",
    default=1,
    show_default=True,
    help="Torch threads per worker. Part of a run's identity, like the batch.",
)
@gpus_per_worker_option
@root_option
@click.option("--retry-failed", is_flag=True, help="Try the clips that failed once more.")
@click.option(
    "--max-failures",
    type=int,
    help="Stop once more clips than this failed; by default when half of the clips fail, and at least 50.",
)
@shared_filesystem_option
@click.option("--dry-run", is_flag=True, help="Print clips, units, bytes and time, and stop.")
@format_option
def extract(dry_run: bool, format_: str, **values: Any) -> int:
    """Stream a dataset through MusicGen and store the activations of every layer.

    Running the same command again resumes: only what is not committed is computed. Codec tokens are
    stored once and reused by every later run over the same clips.

    \b
    Examples:
      undertone extract music.store songs
      undertone extract music.store songs --model facebook/musicgen-small --sites resid,attn,mlp --dry-run
      undertone extract music.store songs --layers 4-8 --reduce mean,segments --segments 10
      undertone extract music.store songs --retry-failed
      undertone extract s3://bucket/music songs --address auto --device cuda --workers 8 --dtype bf16
    """
    from jobs.extract.running import describe_extraction, run_extraction

    options = ExtractOptions(**values)
    if dry_run:
        print_result(describe_extraction(options), format_)
        return 0
    summary = run_extraction(options)
    print_result(summary, format_)
    return 0 if summary["complete"] else 1
