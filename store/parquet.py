"""Parquet files held in memory, read by the thread that asks.

Where Arrow's own threads read, one of them may let go of the bytes after the call has returned; once the
interpreter is shutting down, that ends the process with an abort.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq


def parquet_table(data: bytes) -> pa.Table:
    """All rows."""
    return _file(data).read(use_threads=False)


def parquet_batches(data: bytes) -> Iterator[pa.RecordBatch]:
    """The rows in order, some at a time."""
    yield from _file(data).iter_batches(use_threads=False)


def _file(data: bytes) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False)
