"""`undertone probe`: fit linear probes to every layer of a run, for any labels that SQL can name."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.cli.options import format_option, run_argument
from jobs.probe.options import ProbeOptions


@click.command()
@click.argument("store")
@run_argument
@options_of(ProbeOptions)
@format_option
def probe(format_: str, **values: Any) -> None:
    """Fit linear probes for the labels on every chosen layer of RUN; the view probes shows them.

    Every score is of clips whose group the probe has not seen, with the penalty chosen inside the training
    groups, and stands beside its interval, a baseline, a control with shuffled labels and, where the audio
    is at hand, handcrafted features; the verdict says which of them it beats. What the split does not let be
    measured is said and skipped. What is stored already is not fitted again.

    \b
    Examples:
      undertone probe music.store songs \\
        --labels "SELECT clip_id, genre FROM clips"
      undertone probe music.store songs \\
        --labels "SELECT clip_id, genre, tempo_bpm FROM clips" \\
        --loss mse,logistic --sites resid --layers 4-8
      undertone probe music.store songs --table mine=moods.csv \\
        --labels "SELECT clip_id, mood FROM mine"
    """
    from jobs.probe.report import print_probed
    from jobs.probe.running import probe_run

    print_probed(probe_run(ProbeOptions(**values)), format_)
