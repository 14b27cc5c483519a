"""Parquet files of a store: written with checksums of their pages, and read with these verified.

They are held in memory and read by the thread that asks: where Arrow's own threads read, one of them may let
go of the bytes after the call has returned; once the interpreter is shutting down, that ends the process with
an abort.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from store.errors import CorruptData
from store.objects.protocol import Buffer


def parquet_bytes(table: pa.Table, *, group_rows: int | None = None) -> bytes:
    """A table as a file, with so many rows in a group."""
    buffer = io.BytesIO()
    with parquet_writer(buffer, table.schema) as writer:
        writer.write_table(table, row_group_size=group_rows)
    return buffer.getvalue()


def parquet_writer(file: IO[bytes], schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of several blocks of rows, to be closed."""
    return pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True)


def parquet_table(data: Buffer, place: str, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows, of some columns or of all; raises `CorruptData` naming the place where the file lies."""
    with _reported(place):
        return _file(data).read(columns=None if columns is None else list(columns), use_threads=False)


def parquet_batches(
    data: Buffer, place: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows in order, some at a time, of some columns or of all; raises `CorruptData`."""
    chosen = None if columns is None else list(columns)
    with _reported(place):
        yield from _file(data).iter_batches(columns=chosen, use_threads=False)


class ParquetGroups:
    """A file whose columns and groups of rows are read one by one; raises `CorruptData` naming its place."""

    def __init__(self, data: Buffer, place: str) -> None:
        self._data, self._place = data, place
        with _reported(place):
            self._file = _file(data)
            self.schema: pa.Schema = self._file.schema_arrow
            metadata = self._file.metadata
            self.lengths = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            """Rows of each group."""
            self.rows = int(metadata.num_rows)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Some columns of all rows."""
        with _reported(self._place):
            return self._file.read(columns=list(columns), use_threads=False)

    def batches(self, columns: Sequence[str], *, dictionaries: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The same block by block; columns of `dictionaries` as codes and their distinct values."""
        with _reported(self._place):
            file = _file(self._data, read_dictionary=list(dictionaries))
            yield from file.iter_batches(columns=list(columns), use_threads=False)

    def read_group(self, group: int) -> pa.Table:
        """All columns of one group."""
        with _reported(self._place):
            return self._file.read_row_group(group, use_threads=False)


def is_parquet(data: Buffer) -> bool:
    """Whether bytes are a whole Parquet file whose pages agree with their checksums."""
    try:
        parquet_table(data, "")
    except CorruptData:
        return False
    return True


def _file(data: Buffer, **options: Any) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False, page_checksum_verification=True, **options)


@contextmanager
def _reported(place: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, MemoryError) as error:
        if isinstance(error, CorruptData):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptData(f"{place} is no sound Parquet file ({reason}): run `undertone repair`.") from error
