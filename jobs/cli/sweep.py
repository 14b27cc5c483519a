"""`undertone sweep`: steer by every setting of a grid and measure the effects against controls."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option
from jobs.sweep.options import SweepOptions
from jobs.terminal.results import print_result


@click.command()
@click.argument("store")
@click.argument("sweep")
@options_of(SweepOptions)
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
      undertone sweep music.store mine.toml --run songs-pocket \\
        --scorers descriptors,features
      undertone sql music.store \\
        "SELECT layer, value, low, random FROM effects \\
         WHERE metric = 'transfer'"
    """
    from jobs.sweep.configuration import find_sweep, read_sweep
    from jobs.user_files import read_text

    options = SweepOptions(**values)
    if show:
        click.echo(read_text(find_sweep(options.sweep)), nl=False)
        return 0
    read_sweep(find_sweep(options.sweep))  # says what is wrong with it before libraries of seconds are loaded
    from jobs.sweep.sweeping import describe_sweep, run_sweep

    if dry_run:
        print_result(describe_sweep(options), format_)
        return 0
    summary = run_sweep(options)
    print_result(summary, format_)
    return 0 if summary["complete"] else 1
