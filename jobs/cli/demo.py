"""`undertone demo`: the whole job on embedded defaults, from rendered audio to a report."""

import shutil
import sys
import time
from pathlib import Path
from shlex import quote
from textwrap import fill
from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.demo.options import DemoOptions
from jobs.terminal.text import columns, heading


@click.command()
@click.argument("folder", default="demo", type=click.Path(file_okay=False, path_type=Path))
@options_of(DemoOptions)
def demo(**values: Any) -> None:
    """Render songs into FOLDER, extract and verify them, find their concepts, steer along them, and report.

    Running it again goes on where it stopped, or shows the answers anew.

    \b
    Examples:
      undertone demo
      undertone demo ~/undertone-demo --clips 1000
    """
    from jobs.demo.findings import findings
    from jobs.demo.questions import WIDTH, questions
    from jobs.demo.running import draw_report, run_demo
    from jobs.demo.steps import Steps

    started = time.monotonic()
    options = DemoOptions(**values)
    steps = Steps(options.clips)
    steps.announce()
    run = run_demo(options, steps)
    for question, sql, answer in questions(str(options.store), run, width=columns(WIDTH)):
        click.echo()
        heading(question)
        click.echo(sql)
        click.echo(answer, nl=False)
    draw_report(options, steps)
    click.secho("\nWhat was found", bold=True)
    for sentence in findings(str(options.store), run):
        click.echo(fill(f"- {sentence}", columns(WIDTH), subsequent_indent="  "))
    program, store = "undertone" if shutil.which("undertone") else sys.argv[0], str(options.store)
    seconds = time.monotonic() - started
    click.echo(f"\nThe report is {options.report}: open it in a browser. ({seconds:.0f} s)")
    click.echo(f"The store is {options.store}. Ask it more:")
    click.echo(f"  {program} sql {quote(store)}        opens a shell for queries")
    click.echo("  Its statement of the best layer of each model, above, compares any runs of one dataset.")
    click.echo(f"  {program} status {quote(store)}     shows its runs")
    click.echo("See and hear it, clip by clip, and steer along what you pick:")
    click.echo(f"  {program} explore {quote(store)}")
