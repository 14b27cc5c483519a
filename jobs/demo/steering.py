"""Runs the demo's sweep over layers and strengths, as `undertone sweep` would."""

from shlex import quote

import click

from jobs.execution import Engine

SWEEP = "first-look"
SCORERS = "descriptors,judge,clap"


def steer(store: str, run: str, engine: Engine) -> None:
    """Steer styles towards each other, beside random directions; CLAP and the judge hear what changed."""
    from jobs.cli.options import print_result
    from jobs.sweep.options import SweepOptions
    from jobs.sweep.sweeping import run_sweep

    click.echo(f"undertone sweep {quote(store)} {SWEEP} --scorers {SCORERS}")
    print_result(run_sweep(SweepOptions(store, SWEEP, run=run, scorers=SCORERS, engine=engine)), "text")
