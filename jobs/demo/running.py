"""Run the whole demo, from rendered audio to a report: each step does its work, then shows the result."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from jobs.demo.options import DemoOptions
from jobs.demo.steps import Show, Stage
from jobs.execution import Engine, FitEngine
from jobs.extract.options import ExtractOptions
from jobs.extract.running import run_extraction
from jobs.report.options import ReportOptions
from jobs.report.writing import write_report
from jobs.terminal.results import print_result
from jobs.user_files import check_outside_stores
from store import open_store
from store.errors import JobFailed, counted
from store.tags import set_tag
from store.upkeep.inspection import damage, inspect

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

    from pipelines.synthesis.songs import Band


CONCEPTS = "SELECT clip_id, style, instrument, drums, tempo_bpm FROM clips"
STYLES = "SELECT clip_id, style FROM clips"
KMEANS_STARTS = 3


def fit_probes(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """Linear probes of four concepts at every site and layer, with controls and handcrafted features."""
    from jobs.probe.options import ProbeOptions
    from jobs.probe.report import print_probed
    from jobs.probe.running import probe_run

    show(lambda: _say("probe", store, run, CONCEPTS))
    found = probe_run(ProbeOptions(store, run, CONCEPTS, engine=engine))
    show(lambda: print_probed(found, "text"))


def probe_encoder(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """The same of the encoder's layers, without features of the audio, which are the same."""
    from jobs.probe.options import ProbeOptions
    from jobs.probe.running import probe_run

    show(lambda: _say("probe", store, run, CONCEPTS))
    probe_run(ProbeOptions(store, run, CONCEPTS, handcrafted=False, engine=engine))


def cluster(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """k-means of every layer, against the styles and the instruments."""
    from jobs.kmeans.options import KmeansOptions
    from jobs.kmeans.report import print_clusterings
    from jobs.kmeans.running import run_kmeans

    show(lambda: _say("kmeans", store, run, STYLES))
    options = KmeansOptions(store, run, STYLES, starts=KMEANS_STARTS, engine=engine)
    found = run_kmeans(options).summary
    show(lambda: print_clusterings(found, "text"))


def find_directions(store: str, run: str, engine: FitEngine, show: Show) -> None:
    """Directions of the styles, with random ones to compare them with."""
    from jobs.directions.fitting import run_directions
    from jobs.directions.options import DirectionOptions
    from jobs.directions.report import print_directions

    show(lambda: _say("directions", store, run, STYLES))
    methods = "diffmean,mse,random"
    options = DirectionOptions(store, run, STYLES, methods=methods, sites="resid", engine=engine)
    found = run_directions(options).summary
    show(lambda: print_directions(found, "text"))


def _say(command: str, store: str, run: str, labels: str) -> None:
    click.echo(f'undertone {command} {quote(store)} {run} --labels "{labels}"')


SWEEP = "first-look"
SCORERS = "descriptors,judge,clap"


def steer(store: str, run: str, engine: Engine, show: Show) -> None:
    """Steer styles towards each other, beside random directions; CLAP and the judge score what changed."""
    from jobs.sweep.options import SweepOptions
    from jobs.sweep.sweeping import run_sweep
    from jobs.terminal.results import print_result

    show(lambda: click.echo(f"undertone sweep {quote(store)} {SWEEP} --scorers {SCORERS}"))
    found = run_sweep(SweepOptions(store, SWEEP, run=run, scorers=SCORERS, engine=engine))
    show(lambda: print_result(found, "text"))


DATASET = "music"
CLIP_SECONDS = 4.0
ENCODER = "pocket-clap"
"""Heard beside the MusicGen, for one SQL statement to compare both."""
BAND: "Band" = "any"
"""No instrument tells the style, so that a probe has to read how it is played."""
DAMAGED = {
    "damaged/empty.wav": b"",
    "damaged/text.wav": b"A text file that somebody renamed.\n",
}
"""Planted beside the music, to show that they stop nothing."""
CUT_OFF = "damaged/cut off.flac"


def render_music(audio: Path, clips: int) -> Path:
    """Write audio files and the table that describes them; finished renderings are kept."""
    from pyarrow import parquet

    from pipelines.synthesis import render_dataset

    table = audio / "clips.parquet"
    if table.is_file() and _told(parquet.ParquetFile(table)) == (BAND, clips + len(DAMAGED) + 1):
        return table
    rows: list[dict[str, Any]] = [
        {"path": recording.uri, "group": recording.group, "split": recording.split, **recording.labels}
        for recording in render_dataset(audio, clips=clips, seed=0, concepts=["styles"], band=BAND)
    ]
    whole = (audio / rows[0]["path"]).read_bytes()
    for uri, content in {**DAMAGED, CUT_OFF: whole[: len(whole) // 2]}.items():
        path = audio / uri
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        rows.append({"path": uri, "group": "damaged", "split": None})
    schema = _schema(rows).with_metadata({"band": BAND})
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), table)
    return table


def _told(table: "ParquetFile") -> tuple[str, int]:
    """Band and files of an earlier rendering; "" where it does not say its band."""
    band = (table.schema_arrow.metadata or {}).get(b"band", b"")
    return band.decode(), table.metadata.num_rows


def _schema(rows: list[dict[str, Any]]) -> pa.Schema:
    """Columns of all rows, with a type even where the first rows have no value."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return pa.schema([(name, pa.array(values).type) for name, values in columns.items()])


def add_music(store: Path, table: Path, show: Show) -> None:
    """List the table's recordings as a dataset of the store."""
    from jobs.dataset.adding import add_dataset
    from jobs.dataset.options import AddRequest

    added = add_dataset(AddRequest(str(store), DATASET, str(table), clip_seconds=CLIP_SECONDS))
    said = f"{counted(added['clips'], 'clip')} of {added['clip_seconds']:g} s; failed: {added['failures']}"
    show(lambda: click.echo(said))


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
    set_tag(open_store(store).objects, DATASET, run)  # "music" begins the encoder's run, too
    with stage.next("Stream them through an encoder, too: pocket-clap"):
        heard = run_extraction(ExtractOptions(store, DATASET, ENCODER, sites="all", engine=options.engine))
        stage.show(lambda: print_result(heard, "text"))
    with stage.next("Verify every stored byte"):
        _verify(options.store)
        stage.show(lambda: click.echo("Everything is intact."))
    with stage.next("Fit linear probes: which layer knows what?"):
        fit_probes(store, run, fitting, stage.show)
        probe_encoder(store, str(heard["run"]), fitting, stage.show)
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
        write_report(ReportOptions(str(options.store), options.report))


def _verify(store: Path) -> None:
    if found := damage(inspect(open_store(store).objects)):
        raise JobFailed(
            f"{len(found)} damaged files, the first: {found[0].key} ({found[0].detail}). "
            f"Run: undertone verify {quote(str(store))}"
        )
