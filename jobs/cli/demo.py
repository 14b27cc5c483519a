"""`undertone demo`: the whole job on embedded defaults, from rendered audio to a report."""

import shutil
import sys
import time
from pathlib import Path
from shlex import quote
from textwrap import fill

import click

from jobs.cli.options import engine_option
from jobs.cli.report import write_report
from jobs.demo.analysis import cluster, find_directions, fit_probes
from jobs.demo.findings import findings
from jobs.demo.music import DAMAGED, DATASET, add_music, render_music
from jobs.demo.questions import WIDTH, questions
from jobs.demo.steering import steer
from jobs.demo.steps import Steps
from jobs.execution import Engine, FitEngine
from jobs.extract.options import ExtractOptions
from jobs.terminal.text import columns, heading
from jobs.user_files import check_outside_stores
from store.errors import JobFailed

CLIPS = 320


@click.command()
@click.argument("folder", default="demo", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--clips", default=CLIPS, show_default=True, type=click.IntRange(min=16), help="How many to render."
)
@engine_option
def demo(folder: Path, clips: int, engine: Engine) -> None:
    """Render songs into FOLDER, extract and verify them, find their concepts, steer along them, and report.

    Running it again goes on where it stopped, or shows the answers anew.

    \b
    Examples:
      undertone demo
      undertone demo ~/undertone-demo --clips 1000
    """
    started = time.monotonic()
    check_outside_stores(folder)
    audio, store, report = folder / "audio", folder / "music.store", folder / "report.html"
    steps = Steps(clips)
    steps.announce()
    with steps.next(
        f"Render {clips} labelled clips as audio files, and plant {len(DAMAGED) + 1} damaged ones"
    ):
        table = render_music(audio, clips)
    with steps.next("List them as a dataset"):
        add_music(store, table)
    with steps.next("Stream them through MusicGen: three sites at every layer"):
        run = _extract(store, engine)
    with steps.next("Verify every stored byte"):
        _verify(store)
    fitting: FitEngine = "inline" if engine == "inline" else "auto"
    with steps.next("Fit linear probes: which layer knows what?"):
        fit_probes(str(store), run, fitting)
    with steps.next("Cluster the layers: do styles fall apart by themselves?"):
        cluster(str(store), run, fitting)
    with steps.next("Find the directions of the styles"):
        find_directions(str(store), run, fitting)
    with steps.next("Generate music steered along them, and listen to what changed"):
        steer(str(store), run, engine)
    for question, sql, answer in questions(str(store), run, width=columns(WIDTH)):
        click.echo()
        heading(question)
        click.echo(sql)
        click.echo(answer, nl=False)
    with steps.next("Draw it all"):
        write_report(str(store), report)
    click.secho("\nWhat was found", bold=True)
    for sentence in findings(str(store), run):
        click.echo(fill(f"- {sentence}", columns(WIDTH), subsequent_indent="  "))
    _say_what_next(store, report, time.monotonic() - started)


def _say_what_next(store: Path, report: Path, seconds: float) -> None:
    program = "undertone" if shutil.which("undertone") else sys.argv[0]
    click.echo(f"\nThe report is {report}: open it in a browser. ({seconds:.0f} s)")
    click.echo(f"The store is {store}. Ask it more:")
    click.echo(f"  {program} sql {quote(str(store))}        opens a shell for queries")
    click.echo(f"  {program} status {quote(str(store))}     shows its runs")


def _extract(store: Path, engine: Engine) -> str:
    from jobs.cli.options import print_result
    from jobs.extract.running import run_extraction

    summary = run_extraction(ExtractOptions(str(store), DATASET, engine=engine))
    print_result(summary, "text")
    return str(summary["run"])


def _verify(store: Path) -> None:
    from store import open_store
    from store.upkeep.inspection import damage, inspect

    if found := damage(inspect(open_store(store).objects)):
        raise JobFailed(
            f"{len(found)} damaged files, the first: {found[0].key} ({found[0].detail}). "
            f"Run: undertone verify {quote(str(store))}"
        )
    click.echo("Everything is intact.")
