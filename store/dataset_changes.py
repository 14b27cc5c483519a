"""Changes in a version of a dataset: clips that came, went, or whose recording has another content."""

import sqlite3
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from store.errors import CorruptData
from store.objects.parquet import parquet_table

ADDED, CHANGED, GONE = "added", "changed", "gone"
SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("change", pa.string()),
        ("uri", pa.string()),
        ("start_seconds", pa.float64()),
        ("duration_seconds", pa.float64()),
        ("sha256", pa.string()),
    ]
)
COMPARED = [name for name in SCHEMA.names if name != "change"]
"""The columns of clips that `changes` reads."""
_CODES, _SAME = {ADDED: 1, CHANGED: 2}, 0
Batches = Callable[[], Iterator[pa.RecordBatch]]


def changes(old: Batches, new: Batches) -> Iterator[pa.Table]:
    """From one list of clips to the next: added and changed ones in their new order, then those that went.

    `sha256` is that of the new recording, and of the old one for clips that went. What was there before is
    kept in a temporary file meanwhile, so that memory does not grow with the clips but by a byte each.

    Args:
        old: gives the clips before, with the columns `COMPARED`, some at a time, as often as it is asked.
        new: the same of those that follow them.
    """
    with (
        TemporaryDirectory() as folder,
        closing(sqlite3.connect(f"{folder}/clips", isolation_level=None)) as index,
    ):
        index.execute("PRAGMA journal_mode = OFF")
        index.execute("CREATE TABLE clips (clip_id TEXT PRIMARY KEY, sha256 TEXT) WITHOUT ROWID")
        for batch in old():
            columns = (batch[name].to_pylist() for name in ("clip_id", "sha256"))
            with _together(index):
                index.executemany("INSERT OR IGNORE INTO clips VALUES (?, ?)", zip(*columns, strict=True))
        found = array("b")
        for batch in new():
            with _together(index):
                found.extend(_kinds(index, batch))
        for kind in (ADDED, CHANGED):
            start = 0
            for batch in new():
                kinds = np.frombuffer(found, np.int8)[start : start + len(batch)]
                start += len(batch)
                yield from _as_changes(batch, kinds == _CODES[kind], kind)
        for batch in old():
            yield from _as_changes(batch, np.array([_is_left(index, one) for one in _ids(batch)], bool), GONE)


def _kinds(index: sqlite3.Connection, batch: pa.RecordBatch) -> Iterator[int]:
    """What became of each of these clips; each is taken out of the table of the old ones."""
    for clip_id, sha256 in zip(_ids(batch), batch["sha256"].to_pylist(), strict=True):
        former = index.execute("DELETE FROM clips WHERE clip_id = ? RETURNING sha256", (clip_id,)).fetchone()
        if former is None:
            yield _CODES[ADDED]
        else:
            differs = None not in (former[0], sha256) and former[0] != sha256
            yield _CODES[CHANGED] if differs else _SAME


def _is_left(index: sqlite3.Connection, clip_id: str) -> bool:
    return index.execute("SELECT 1 FROM clips WHERE clip_id = ?", (clip_id,)).fetchone() is not None


def _ids(batch: pa.RecordBatch) -> list[str]:
    ids: list[str] = batch["clip_id"].to_pylist()
    return ids


@contextmanager
def _together(index: sqlite3.Connection) -> Iterator[None]:
    """Statements as one transaction."""
    index.execute("BEGIN")
    yield
    index.execute("COMMIT")


def decode_changes(data: bytes, place: str) -> pa.Table:
    """The changes in a file of them; raises `CorruptData` naming the place where it lies."""
    table = parquet_table(data, place)
    if (table.schema.names, table.schema.types) != (SCHEMA.names, SCHEMA.types):
        raise CorruptData(f"{place} does not list changes of a dataset: run `undertone repair`.")
    return table


def _as_changes(
    batch: pa.RecordBatch, chosen: np.ndarray[Any, np.dtype[np.bool_]], change: str
) -> Iterator[pa.Table]:
    """Some of the clips as changes of one kind; nothing where there are none."""
    if chosen.any():
        clips = pa.Table.from_batches([batch.select(COMPARED).filter(pa.array(chosen))])
        marked = clips.append_column("change", pa.repeat(pa.scalar(change), len(clips)))
        yield marked.select(SCHEMA.names).cast(SCHEMA)
