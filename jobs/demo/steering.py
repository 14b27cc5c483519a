"""Runs the demo's sweep over layers and strengths, as `undertone sweep` would."""

from shlex import quote

import click

from jobs.demo.steps import Show
from jobs.execution import Engine

SWEEP = "first-look"
SCORERS = "descriptors,judge,clap"


def steer(store: str, run: str, engine: Engine, show: Show) -> None:
    """Steer styles towards each other, beside random directions; CLAP and the judge hear what changed."""
    from jobs.sweep.options import SweepOptions
    from jobs.sweep.sweeping import run_sweep
    from jobs.terminal.results import print_result

    show(lambda: click.echo(f"undertone sweep {quote(store)} {SWEEP} --scorers {SCORERS}"))
    found = run_sweep(SweepOptions(store, SWEEP, run=run, scorers=SCORERS, engine=engine))
    show(lambda: print_result(found, "text"))
