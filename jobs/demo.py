"""`undertone demo`: the whole job on embedded defaults, from rendered audio to SQL answers."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from jobs.demo_questions import questions
from jobs.extraction.options import Engine, ExtractOptions
from jobs.options import engine_option
from store.errors import JobFailed

CLIPS = 240
DATASET = "music"
DAMAGED = {
    "damaged/empty.wav": b"",
    "damaged/text.wav": b"A text file that somebody renamed.\n",
}
"""Planted beside the music, to show that they stop nothing."""


@click.command()
@click.argument("folder", default="demo", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--clips", default=CLIPS, show_default=True, type=click.IntRange(min=16), help="How many to render."
)
@engine_option
def demo(folder: Path, clips: int, engine: Engine) -> None:
    """Render labelled clips into FOLDER, extract them, verify the store and ask it four questions.

    Running it again goes on where it stopped, or shows the answers anew.

    \b
    Examples:
      undertone demo
      undertone demo ~/undertone-demo --clips 1000
    """
    started = time.monotonic()
    audio, store = folder / "audio", folder / "music.store"
    with _step(f"Render {clips} labelled clips as audio files, and plant {len(DAMAGED) + 1} damaged ones"):
        table = _render(audio, clips)
    with _step("List them as a dataset"):
        _add(store, table)
    with _step("Stream them through MusicGen: three sites at every layer"):
        run = _extract(store, engine)
    with _step("Verify every stored byte"):
        _verify(store)
    for question, sql, answer in questions(str(store), run):
        click.secho(f"\n{question}", bold=True)
        click.echo(sql)
        click.echo(answer, nl=False)
    click.echo(
        f"\nThe store is {store}, the audio {audio} ({time.monotonic() - started:.0f} s). Ask it more:"
    )
    program = "undertone" if shutil.which("undertone") else sys.argv[0]
    click.echo(f"  {program} sql {store}        lists its tables and columns")
    click.echo(f"  {program} status {store}     shows its runs")


@contextmanager
def _step(title: str) -> Iterator[None]:
    click.secho(f"\n{title}", bold=True)
    started = time.monotonic()
    yield
    click.echo(f"({time.monotonic() - started:.1f} s)")


def _render(audio: Path, clips: int) -> Path:
    """Write audio files and the table that describes them; finished renderings are kept."""
    from pyarrow import parquet

    from pipelines.synthesis import render_dataset

    table = audio / "clips.parquet"
    if table.is_file() and parquet.read_metadata(table).num_rows == clips + len(DAMAGED) + 1:
        return table
    rows: list[dict[str, Any]] = [
        {"path": recording.uri, "group": recording.group, "split": recording.split, **recording.labels}
        for recording in render_dataset(audio, clips=clips, seed=0)
    ]
    whole = (audio / rows[0]["path"]).read_bytes()
    for uri, content in {**DAMAGED, "damaged/cut off.flac": whole[: len(whole) // 2]}.items():
        path = audio / uri
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        rows.append({"path": uri, "group": "damaged", "split": None})
    parquet.write_table(pa.Table.from_pylist(rows, schema=_schema(rows)), table)
    return table


def _schema(rows: list[dict[str, Any]]) -> pa.Schema:
    """Columns of all rows, with a type even where the first rows have no value."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return pa.schema([(name, pa.array(values).type) for name, values in columns.items()])


def _add(store: Path, table: Path) -> None:
    from jobs.datasets.adding import AddRequest, add_dataset

    added = add_dataset(AddRequest(str(store), DATASET, str(table), clip_seconds=4.0))
    click.echo(f"{added['clips']} clips of {added['clip_seconds']:g} s; failed: {added['failures']}")


def _extract(store: Path, engine: Engine) -> str:
    from jobs.extraction.running import run_extraction
    from jobs.options import print_result

    summary = run_extraction(ExtractOptions(str(store), DATASET, engine=engine))
    print_result(summary, "text")
    return str(summary["run"])


def _verify(store: Path) -> None:
    from jobs.verify import chosen, findings
    from store import open_store

    damage = [finding for collection in chosen(open_store(store), None) for finding in findings(collection)]
    if damage:
        raise JobFailed(f"{len(damage)} disagreements, the first: {damage[0]}. Run: undertone repair {store}")
    click.echo("Everything committed is intact.")
