"""`undertone report`: draw what was found in a store's layers, as one self-contained HTML file."""

from typing import Any

import click

from jobs.cli.derived import options_of
from jobs.report.options import ReportOptions
from jobs.terminal.results import readable_bytes


@click.command()
@click.argument("store")
@options_of(ReportOptions)
def report(**values: Any) -> None:
    """Draw what probes, clusterings and directions say of every layer of STORE.

    The page has its tables and the SQL of each beneath its charts. It opens without a network, in light and
    dark, on paper and on a telephone.

    \b
    Examples:
      undertone report music.store -o report.html
      undertone report music.store -o report.html --run songs-pocket \\
        --layer resid:5
    """
    from jobs.report.writing import write_report

    options = ReportOptions(**values)
    write_report(options)
    click.echo(f"{options.output} ({readable_bytes(options.output.stat().st_size)})")
