"""`undertone report`: draw what was found in a store's layers, as one self-contained HTML file."""

from pathlib import Path

import click

from jobs.cli.options import PluginName, complete_runs
from store.extensions import FIGURES


@click.command()
@click.argument("store")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file to write; a browser prints it to PDF.",
)
@click.option(
    "--run", shell_complete=complete_runs,
    help="Report this run only; by default every run that something was fitted on.",
)  # fmt: skip
@click.option(
    "--layer",
    metavar="SITE:LAYER",
    help="Look closely at this layer; by default at each concept's best.",
)
@click.option(
    "--figure", "figures", multiple=True, type=PluginName(FIGURES),
    help="Also draw this figure of a plug-in, where one is installed. Can be given several times.",
)  # fmt: skip
def report(store: str, output: Path, run: str | None, layer: str | None, figures: tuple[str, ...]) -> None:
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

    write_report(store, output, run=run, layer=layer, figures=figures)
    click.echo(f"{output} ({output.stat().st_size / 1e6:.1f} MB)")
