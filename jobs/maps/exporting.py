"""Write a map as one Parquet file that Embedding Atlas, pandas and DuckDB open."""

import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from jobs.maps.clip_sounds import SAMPLE_RATE, decoded_clips
from jobs.maps.drawing import Drawn
from store.catalog.asking import Catalog
from store.errors import InvalidInput
from store.opening import Store

ROWS_AT_ONCE = 256
"""Clips whose sound is held at a time."""
AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How datasets of the hub and Embedding Atlas hold a sound."""


def export_map(
    store: Store, drawn: Drawn, path: Path, *, audio: bool = False, roots: Sequence[str] = ()
) -> None:
    """Write clip_id, x, y and all columns that the dataset has of each clip; the file appears whole.

    Args:
        store: whose clips they are.
        drawn: the map.
        path: the file, which must end in .parquet; one that is there is replaced.
        audio: write the sound of each clip, too.
        roots: NAME=PATH, where the audio of a dataset is, if not where it was.

    Raises:
        InvalidInput: the path has another ending, or its folder is not there.
        NotFound: nobody knows where the recordings are.
        AudioError: one cannot be decoded.
    """
    if path.suffix != ".parquet" or not path.parent.is_dir():
        raise InvalidInput(f"{str(path)!r} must end in .parquet and lie in a folder that is there.")
    table = described(store, drawn)
    schema = table.schema.append(pa.field("audio", AUDIO)) if audio else table.schema
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with pq.ParquetWriter(unfinished, schema) as file:
            for first in range(0, len(table), ROWS_AT_ONCE):
                part = table.slice(first, ROWS_AT_ONCE)
                file.write_table(_with_audio(store, part, roots) if audio else part)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def described(store: Store, drawn: Drawn) -> pa.Table:
    """Columns clip_id, x, y and what is known of each clip, in the order of the map."""
    x, y = drawn.points.T
    given = pa.table({"clip_id": drawn.clip_ids, "x": x, "y": y, "place": range(len(x))})
    return Catalog.of(store).ask(
        "SELECT DISTINCT ON (place) map.* EXCLUDE (place), clips.* EXCLUDE (clip_id) "
        "FROM map LEFT JOIN clips USING (clip_id) ORDER BY place",
        tables={"map": given},
    )


def _with_audio(store: Store, part: pa.Table, roots: Sequence[str]) -> pa.Table:
    ids = part["clip_id"].to_pylist()
    sounds = []
    for clip_id, samples in zip(ids, decoded_clips(store, ids, roots=roots), strict=True):
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        sounds.append({"bytes": buffer.getvalue(), "path": f"{clip_id}.wav"})
    return part.append_column("audio", pa.array(sounds, AUDIO))
