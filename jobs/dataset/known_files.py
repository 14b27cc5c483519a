"""Remember in the store what was measured of a dataset's files, so that a second reading is needless.

What is measured is written in parts while an addition is at work: one that was killed goes on where it was.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.audio.file_states import ETAG, FileState
from pipelines.audio.files import Root
from pipelines.audio.header import AudioInfo
from pipelines.datasets.clip_checks import FlawedClips
from pipelines.datasets.cutting import ClipSpec, Measured
from store import Store
from store.errors import AudioError, UndertoneError
from store.objects.ledger import commit, read_committed, recorded_names
from store.objects.parquet import is_parquet, parquet_batches
from store.objects.protocol import ObjectStore
from store.records import Failure
from store.results.parts import digest_of, write_results
from store.results.recordings import RECORDINGS, RecordingRow
from store.results.table import now

PART_FILES = 2048
PART_SECONDS = 10.0
"""A part is written when so many files were measured, or for so long: what a kill can cost."""
_COLUMNS = ("bytes", "stamp", "content", "sample_rate", "samples", "channels", "peak", "message")
_LISTS = ("silent", "clipped", "undecodable", "reasons")
_TABLE = f"""
    CREATE TABLE files (uri TEXT, {", ".join(_COLUMNS)}, flawed TEXT, created_at REAL,
    PRIMARY KEY (uri, bytes, stamp)) WITHOUT ROWID
"""


class KnownFiles:
    """What earlier additions measured, on disk; and parts of what this one measures. Threads may share it."""

    def __init__(
        self, store: Store, spec: ClipSpec, root: Root, index: sqlite3.Connection, *, forget: bool
    ) -> None:
        self._store, self._spec, self._index, self._forget = store, spec, index, forget
        self._root = root_digest(root)
        self._lock = threading.Lock()
        self._new: list[RecordingRow] = []
        self._written = time.monotonic()
        index.execute(_TABLE)

    def load(self) -> None:
        """Take on what the store holds of files of this root that were cut alike; not what is damaged."""
        objects, folder = self._store.objects, f"results/{RECORDINGS.kind}"
        _record_lost_parts(objects, folder)
        for name in recorded_names(objects, folder):
            try:
                for batch in parquet_batches(read_committed(objects, name), name):
                    self._take(batch.to_pylist())
            except (UndertoneError, KeyError, TypeError):  # `undertone verify` names it
                continue

    def find(self, uri: str, state: FileState) -> Measured | None:
        """What is known of a file in this state; nothing where all is to be read again."""
        if self._forget:
            return None
        query = (
            f"SELECT {', '.join(_COLUMNS[2:])}, flawed FROM files WHERE uri = ? AND bytes = ? AND stamp = ?"  # noqa: S608
        )
        with self._lock:
            row = self._index.execute(query, (uri, state.nbytes, state.stamp)).fetchone()
        if row is None:
            return None
        content, rate, samples, channels, peak, message, flawed = row
        if message is not None:
            failure = Failure(uri, "probe", AudioError.__name__, message, uri)
            return Measured(uri, state, failure=failure, known=True)
        if content.startswith(ETAG) and not self._spec.trust_etag:
            return None
        info = AudioInfo(rate, samples, channels, peak)
        return Measured(uri, state, content, info, None, _flawed(flawed), known=True)

    def keep(self, measured: Measured) -> None:
        """Remember one more file; now and then a part is written."""
        if measured.known or measured.state is None or not measured.lasts:
            return
        info, flawed = measured.info, measured.flawed
        self._new.append(
            RecordingRow(
                dataset=self._spec.dataset,
                uri=measured.uri,
                bytes_=measured.state.nbytes,
                stamp=measured.state.stamp,
                cut=cut_of(self._spec),
                root=self._root,
                content=measured.content or None,
                sample_rate=info.sample_rate if info else None,
                samples=info.samples if info else None,
                channels=info.channels if info else None,
                peak=info.peak if info else None,
                message=measured.failure.message if measured.failure else None,
                silent=flawed.silent,
                clipped=flawed.clipped,
                undecodable=list(flawed.undecodable),
                reasons=list(flawed.undecodable.values()),
                created_at=now(),
            )
        )
        if len(self._new) >= PART_FILES or time.monotonic() - self._written >= PART_SECONDS:
            self.write()

    def write(self) -> None:
        """Write what was measured since the last part.

        Its name says nothing of the present time, so that the same files after a kill have the same name. It
        says what these rows follow: a reading that finds what was there before another is a part of its own.
        """
        if self._new:
            files = [
                [row.uri, row.bytes_, row.stamp, row.content, self._read_before(row)] for row in self._new
            ]
            cut, dataset = cut_of(self._spec), self._spec.dataset
            specification = {"dataset": dataset, "cut": cut, "root": self._root, "files": files}
            write_results(self._store, RECORDINGS.kind, specification, RECORDINGS.of(self._new))
        self._new, self._written = [], time.monotonic()

    def _read_before(self, row: RecordingRow) -> float | None:
        """When the store says that a file in this state was read."""
        query = "SELECT created_at FROM files WHERE uri = ? AND bytes = ? AND stamp = ?"
        with self._lock:
            found = self._index.execute(query, (row.uri, row.bytes_, row.stamp)).fetchone()
        return found[0] if found else None

    def _take(self, rows: list[dict[str, Any]]) -> None:
        cut = cut_of(self._spec)
        values = [
            (
                row["uri"],
                *(row[name] for name in _COLUMNS),
                json.dumps([row[name] or [] for name in _LISTS]),
                row["created_at"].timestamp(),
            )
            for row in rows
            if (row["dataset"], row["cut"], row.get("root")) == (self._spec.dataset, cut, self._root)
        ]
        places = ", ".join("?" * (len(_COLUMNS) + 3))
        newer = "ON CONFLICT DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
        self._index.execute("BEGIN")
        self._index.executemany(
            f"INSERT INTO files VALUES ({places}) {newer}, flawed = excluded.flawed, "  # noqa: S608
            "created_at = excluded.created_at WHERE excluded.created_at >= created_at",
            values,
        )
        self._index.execute("COMMIT")


@contextmanager
def known_files(store: Store, spec: ClipSpec, root: Root, *, forget: bool = False) -> Iterator[KnownFiles]:
    """What is known, unless all is to be read again; what the block measured is written, however it ends."""
    with TemporaryDirectory() as folder:
        index = sqlite3.connect(f"{folder}/files.sqlite", check_same_thread=False, isolation_level=None)
        try:
            index.execute("PRAGMA journal_mode = OFF")
            index.execute("PRAGMA synchronous = OFF")
            known = KnownFiles(store, spec, root, index, forget=forget)
            known.load()
            try:
                yield known
            finally:
                known.write()
        finally:
            index.close()


def _record_lost_parts(objects: ObjectStore, folder: str) -> None:
    """Write the records of whole parts whose writer was killed before it did: nobody may write them again."""
    written = [key for key, _ in objects.list(folder)]
    for key in sorted(set(written).difference(recorded_names(objects, folder))):
        with suppress(UndertoneError):  # it is damaged or gone: `undertone verify` names it
            data = objects.get(key)
            if is_parquet(data):
                commit(objects, key, data, kind="results", sound=is_parquet)


def cut_of(spec: ClipSpec) -> str:
    """What decides what is measured of a file, beside the file."""
    return f"{spec.clip_seconds:.9g} {spec.hop_seconds:.9g}" + (" listen" if spec.listen else "")


def root_digest(root: Root) -> str:
    """Stands for the folder that files are below, whose path no store holds.

    Files of two folders may have the same names, lengths and times, and other samples.
    """
    return digest_of(os.path.realpath(root.url) if root.is_local else root.public_url)


def _flawed(text: str) -> FlawedClips:
    silent, clipped, undecodable, reasons = json.loads(text)
    return FlawedClips(silent, clipped, dict(zip(undecodable, reasons, strict=True)))
