"""`undertone sweep`: steer by every setting of a grid and measure the effects against controls."""

from typing import Any

import click

from jobs.cli.completion import complete_runs
from jobs.cli.options import (
    address_option,
    device_option,
    dtype_option,
    engine_option,
    format_option,
    gpus_per_worker_option,
    model_workers_option,
    print_result,
    root_option,
    shared_filesystem_option,
    threads_option,
)


@click.command()
@click.argument("store")
@click.argument("sweep")
@click.option(
    "--run", default="", shell_complete=complete_runs,
    help="Run whose directions steer; needed where the store has several.",
)  # fmt: skip
@click.option(
    "--model",
    default="",
    metavar="PATH",
    help="Folder of the run's model, where that was extracted from a folder.",
)
@click.option(
    "--scorers",
    default="all",
    show_default=True,
    help="all, or from descriptors, similarity, features, probe, judge, clap.",
)
@click.option(
    "--clap",
    default="pocket",
    show_default=True,
    metavar="pocket|NAME|PATH",
    help="The CLAP that scores, as in `undertone evaluate`.",
)
@click.option(
    "--batch",
    default=32,
    show_default=True,
    help="Generations per pass: decides speed and memory, and a sound only where two tokens tie.",
)
@click.option("--unit", default=64, show_default=True, help="Generations per commit: what a crash can cost.")
@dtype_option
@device_option
@engine_option
@address_option
@model_workers_option
@threads_option
@gpus_per_worker_option
@root_option
@shared_filesystem_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print settings, generations and the time to make them, without that of scores, and stop.",
)
@click.option("--show", is_flag=True, help="Print the file of the sweep, to copy and change, and stop.")
@format_option
def sweep(dry_run: bool, show: bool, format_: str, **values: Any) -> int:
    """Steer by every setting of a grid and measure what it does, beside its controls.

    SWEEP is a TOML file, or the name of a sweep that comes with Undertone: first-look, layer-ablation,
    losses, sites, strength, fusion, interference, damage, text-alone. Every setting is compared with its
    unsteered twin, with random directions and with the target's prompt. Results are in the views transfers
    (with damage), effects, scorer_accuracy and sweep_generations.

    Running the same command again resumes; a changed file computes only what is new.

    \b
    Examples:
      undertone sweep music.store layer-ablation --dry-run
      undertone sweep music.store layer-ablation --show > mine.toml
      undertone sweep music.store mine.toml --run songs-pocket --scorers descriptors,features
      undertone sql music.store "SELECT layer, value, low, random FROM effects WHERE metric = 'transfer'"
    """
    from jobs.sweep.configuration import find_sweep
    from jobs.sweep.options import SweepOptions
    from jobs.user_files import read_text

    options = SweepOptions(**values)
    if show:
        click.echo(read_text(find_sweep(options.sweep)), nl=False)
        return 0
    from jobs.sweep.sweeping import describe_sweep, run_sweep

    if dry_run:
        print_result(describe_sweep(options), format_)
        return 0
    summary = run_sweep(options)
    print_result(summary, format_)
    return 0 if summary["complete"] else 1
