"""Audio inside Parquet files of Hugging Face: "train-0.parquet#17" names the bytes of row 17."""

import io
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from store.errors import AudioError, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

Open = Callable[[str], BinaryIO]
"""Opens a file of a root by its name."""

_ADDRESS = re.compile(r"(?P<file>.+\.parquet)#(?P<row>[0-9]{1,18})", re.IGNORECASE)


def address(file: str, row: int) -> str:
    """The name of a row's audio, counted from 0 over the whole file."""
    return f"{file}#{row}"


def read_address(uri: str) -> tuple[str, int] | None:
    """File and row of a name that `address` made, None for any other."""
    match = _ADDRESS.fullmatch(uri)
    return (match["file"], int(match["row"])) if match else None


def audio_column(schema: "pa.Schema") -> str | None:
    """The column of Hugging Face's audio, a struct with `bytes`: "audio", or the first there is."""
    import pyarrow as pa

    names = [
        column.name
        for column in schema
        if pa.types.is_struct(column.type)
        and column.type.get_field_index("bytes") >= 0
        and (
            pa.types.is_binary(column.type.field("bytes").type)
            or pa.types.is_large_binary(column.type.field("bytes").type)
        )
    ]
    return "audio" if "audio" in names else next(iter(names), None)


class _LastRowGroup:
    """The audio of the row group that was read last, and no other: the next clip is most often in it.

    One thread reads, the others wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[str, str, int, int] | None = None
        self._audio: pa.ChunkedArray = None

    def audio(self, root_url: str, file: str, row: int, open_file: Open) -> bytes | None:
        """Bytes of one row; only its row group is read."""
        from pyarrow import parquet

        with self._lock, open_file(file) as stream:
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            with parquet.ParquetFile(stream, pre_buffer=False) as opened:
                group, place = _place(opened.metadata, row, file)
                key = (root_url, file, size, group)
                if key != self._key:
                    self._key, self._audio = None, None  # first, so that memory holds one group
                    self._audio = _read_group(opened, group, file)
                    self._key = key
                found: bytes | None = self._audio[place].as_py()
        return found


_last_row_group = _LastRowGroup()


def open_row(root_url: str, file: str, row: int, open_file: Open) -> BinaryIO:
    """The audio of one row as a file.

    Raises:
        NotFound: there is no such file or row.
        AudioError: the row has no audio, or the file cannot be read as Parquet.
    """
    import pyarrow as pa

    try:
        found = _last_row_group.audio(root_url, file, row, open_file)
    except pa.ArrowException as error:
        raise AudioError(f"{file!r} cannot be read as Parquet: {error}") from error
    if found is None:
        raise AudioError(f"Row {row} of {file!r} has no audio.")
    return io.BytesIO(found)


def _place(metadata: "pa.parquet.FileMetaData", row: int, file: str) -> tuple[int, int]:
    """Row group of a row, and its place in it."""
    first = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if row < first + rows:
            return group, row - first
        first += rows
    raise NotFound(f"There is no row {row} in {file!r}, which has {first} (the first is 0).")


def _read_group(opened: "pa.parquet.ParquetFile", group: int, file: str) -> "pa.ChunkedArray":
    column = audio_column(opened.schema_arrow)
    if column is None:
        raise AudioError(f"{file!r} has no column with audio.")
    table = opened.read_row_group(group, columns=[f"{column}.bytes"], use_threads=False)
    import pyarrow.compute as pc

    return pc.struct_field(table.column(0), "bytes")
