"""The demo's dataset: rendered songs with their labels, and a few damaged files among them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from jobs.demo.steps import Show

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

    from pipelines.synthesis.songs import Band

DATASET = "music"
CLIP_SECONDS = 4.0
BAND: "Band" = "any"
"""No instrument tells the style, so that a probe has to hear how it is played."""
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
    said = f"{added['clips']} clips of {added['clip_seconds']:g} s; failed: {added['failures']}"
    show(lambda: click.echo(said))
