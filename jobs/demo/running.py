"""Run the whole demo, from rendered audio to a report: each step does its work, then shows the result."""

from pathlib import Path
from shlex import quote

import click

from jobs.demo.analysis import cluster, find_directions, fit_probes
from jobs.demo.music import DAMAGED, DATASET, add_music, render_music
from jobs.demo.options import DemoOptions
from jobs.demo.steering import steer
from jobs.demo.steps import Stage
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.report.writing import write_report
from jobs.terminal.results import print_result
from jobs.user_files import check_outside_stores
from store import open_store
from store.errors import JobFailed
from store.upkeep.inspection import damage, inspect


def run_demo(options: DemoOptions, stage: Stage) -> str:
    """Do everything that is not done yet, but for the report; returns the id of the run.

    Raises:
        InvalidInput: the folder lies in a store.
        JobFailed: something cannot go on; what is committed stays.
    """
    check_outside_stores(options.folder)
    store, fitting = str(options.store), options.fit_engine
    with stage.next(
        f"Render {options.clips} labelled clips as audio files, and plant {len(DAMAGED) + 1} damaged ones"
    ):
        table = render_music(options.folder / "audio", options.clips)
    with stage.next("List them as a dataset"):
        add_music(options.store, table, stage.show)
    with stage.next("Stream them through MusicGen: three sites at every layer"):
        summary = run_extraction(ExtractOptions(store, DATASET, engine=options.engine))
        stage.show(lambda: print_result(summary, "text"))
    run = str(summary["run"])
    with stage.next("Verify every stored byte"):
        _verify(options.store)
        stage.show(lambda: click.echo("Everything is intact."))
    with stage.next("Fit linear probes: which layer knows what?"):
        fit_probes(store, run, fitting, stage.show)
    with stage.next("Cluster the layers: do styles fall apart by themselves?"):
        cluster(store, run, fitting, stage.show)
    with stage.next("Find the directions of the styles"):
        find_directions(store, run, fitting, stage.show)
    with stage.next("Generate music steered along them, and listen to what changed"):
        steer(store, run, options.engine, stage.show)
    return run


def draw_report(options: DemoOptions, stage: Stage) -> None:
    """Write the report of the demo's store, as its last step."""
    with stage.next("Draw it all"):
        write_report(str(options.store), options.report)


def _verify(store: Path) -> None:
    if found := damage(inspect(open_store(store).objects)):
        raise JobFailed(
            f"{len(found)} damaged files, the first: {found[0].key} ({found[0].detail}). "
            f"Run: undertone verify {quote(str(store))}"
        )
