"""Table files (CSV, TSV, JSON, JSON lines, Parquet) as rows of label values or as an Arrow table.

Every way into the store reads tables here, so that a table means the same everywhere: all rows decide a
column's type (`pipelines.datasets.column_types`), and the same words mean "missing".
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TextIO

from pipelines.audio.files import Root
from pipelines.datasets import parquet_tables
from pipelines.datasets.column_remarks import ColumnCensus, remark_on_column
from pipelines.datasets.column_types import (
    CellKind,
    ColumnType,
    kind_of_literal,
    kind_of_string,
    type_of_column,
    value_of,
)
from pipelines.datasets.remarks import Say, in_silence
from store.errors import InvalidInput, counted
from store.records import Label

if TYPE_CHECKING:
    from _csv import Reader

    import pyarrow as pa

Row = Mapping[str, Label]
Cell = tuple[str, CellKind]
Cells = Mapping[str, Cell]

PATH_COLUMNS = ("path", "file_name", "file", "filename", "filepath", "file_path", "uri", "audio")
NAMING_COLUMNS = frozenset([*PATH_COLUMNS, "clip_id", "group", "group_id", "split"])
"""Columns that are always text: "12e3" is the id of a clip and no number."""
_FIELD_BYTES = 1 << 27
_DELIMITERS = ",;\t|"
_ARROW_ROWS = 1 << 16
_MOST_DIGITS = 1000
"""Of whole numbers in nested JSON; Python refuses to convert those of several thousand."""
_QUOTED = re.compile(r'"[^"]*"')


def read_table(root: Root, uri: str, say: Say = in_silence) -> Iterator[Row]:
    """The rows of a table file, one at a time; remarks on its columns are said once the last has passed.

    A text column holds whole numbers, numbers or truth values only if every row of it does. Lists and
    nested values become JSON text.

    Raises:
        InvalidInput: another kind of file, or one that does not parse.
    """
    with _read_as(uri) as suffix:
        if suffix == ".parquet":
            yield from parquet_tables.read_rows(root, uri, say)
            return
        columns = _columns(_CELLS[suffix](root, uri))
        for cells in _CELLS[suffix](root, uri):
            yield {name: columns[name].value(cell) for name, cell in cells.items()}
        _remark(columns, say)


def read_arrow_table(root: Root, uri: str, say: Say = in_silence) -> "pa.Table":
    """All rows of a table file as an Arrow table; values as in `read_table`, Parquet's own types kept.

    Raises:
        InvalidInput: another kind of file, or one that does not parse.
    """
    import pyarrow as pa

    with _read_as(uri) as suffix:
        if suffix == ".parquet":
            return parquet_tables.read_arrow(root, uri, say)
        columns = _columns(_CELLS[suffix](root, uri)) or _columns_without_rows(root, uri, suffix)
        types = {"integer": pa.int64(), "number": pa.float64(), "truth": pa.bool_(), "text": pa.string()}
        schema = pa.schema([(name, types[column.type]) for name, column in columns.items()])
        rows = (
            {name: columns[name].value(cell) for name, cell in cells.items()}
            for cells in _CELLS[suffix](root, uri)
        )
        batches = []
        while batch := list(islice(rows, _ARROW_ROWS)):
            batches.append(pa.RecordBatch.from_pylist(batch, schema))
        _remark(columns, say)
        return pa.Table.from_batches(batches, schema)


def is_table_name(uri: str) -> bool:
    """Whether a file's name says that it is a table."""
    return PurePosixPath(uri).suffix.lower() in ENDINGS


@contextmanager
def opened_text(root: Root, uri: str) -> Iterator[TextIO]:
    """A text file, UTF-8 with or without a byte order mark, line ends untouched as csv wants them."""
    # FMA's biographies are longer than the 128 KB the csv module allows a field by default.
    csv.field_size_limit(_FIELD_BYTES)
    with root.open(uri) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        yield text


@contextmanager
def opened_csv(root: Root, uri: str) -> Iterator["Reader"]:
    """Records of a CSV file; the delimiter is the one that its first line has most of."""
    with opened_text(root, uri) as text:
        first_line = _QUOTED.sub("", text.readline())
        text.seek(0)
        reader = csv.reader(text, delimiter=max(_DELIMITERS, key=first_line.count), strict=True)
        try:
            yield reader
        except csv.Error as error:
            raise InvalidInput(
                f"Line {reader.line_num} of {uri!r} cannot be read as CSV: {error}."
            ) from error


def is_blank(record: Iterable[str]) -> bool:
    """Whether a record of a CSV file is an empty line, or one of delimiters alone."""
    return not any(text.strip() for text in record)


def refuse_length(record: list[str], header: list[str], line: int, uri: str) -> None:
    """Raise `InvalidInput` where a record has not as many fields as the header."""
    if len(record) != len(header):
        raise InvalidInput(
            f"Line {line} of {uri!r} has {counted(len(record), 'field')}, its header has {len(header)}: "
            "was the file cut off, or does a text hold an unquoted delimiter?"
        )


@dataclass(slots=True)
class _Column:
    """What all cells of a column said."""

    always_text: bool
    census: ColumnCensus = field(default_factory=ColumnCensus)
    _type: ColumnType | None = None

    @property
    def type(self) -> ColumnType:
        """The type that its cells share."""
        return "text" if self.always_text else type_of_column(self.census.kinds)

    def value(self, cell: Cell) -> Label:
        self._type = self._type or self.type
        return value_of(*cell, self._type)


def _columns(rows: Iterable[Cells]) -> dict[str, _Column]:
    """Every column of a table in order of appearance, from all of its rows."""
    columns: dict[str, _Column] = {}
    for row, cells in enumerate(rows, start=1):
        for name, cell in cells.items():
            if name not in columns:
                columns[name] = _Column(name.lower() in NAMING_COLUMNS)
            columns[name].census.see(*cell, row)
    return columns


def _columns_without_rows(root: Root, uri: str, suffix: str) -> dict[str, _Column]:
    """The columns that a header names where nothing comes after it."""
    if _CELLS[suffix] is not _csv_cells:
        raise InvalidInput(f"The table {uri!r} has no rows.")
    with opened_csv(root, uri) as reader:
        return {name: _Column(always_text=True) for name in _header(next(reader, []), uri)}


def _remark(columns: Mapping[str, _Column], say: Say) -> None:
    for name, column in columns.items():
        remark = None if column.always_text else remark_on_column(name, column.census)
        if remark:
            say(remark)


@contextmanager
def _read_as(uri: str) -> Iterator[str]:
    """The ending of a table's name; inside the block what cannot be read becomes `InvalidInput`."""
    suffix = PurePosixPath(uri).suffix.lower()
    if suffix not in ENDINGS:
        raise InvalidInput(f"{uri!r} is not a table; a table's name ends in {', '.join(ENDINGS)}.")
    try:
        yield suffix
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The table {uri!r} cannot be read as {suffix}: it is not UTF-8 (byte {error.start}); "
            "save it as CSV UTF-8."
        ) from error
    except OSError as error:
        raise InvalidInput(f"The table {uri!r} cannot be read as {suffix}: {error}") from error


def _csv_cells(root: Root, uri: str) -> Iterator[Cells]:
    with opened_csv(root, uri) as reader:
        header = _header(next(reader, []), uri)
        for record in reader:
            if is_blank(record):
                continue
            refuse_length(record, header, reader.line_num, uri)
            yield {name: (text, kind_of_literal(text)) for name, text in zip(header, record, strict=True)}


def _header(record: list[str], uri: str) -> list[str]:
    """Names of the columns; one without a name, as pandas writes its index, is called by its number."""
    if is_blank(record):
        raise InvalidInput(f"The table {uri!r} has no first line with the names of its columns.")
    names = [name.strip() or f"column_{number}" for number, name in enumerate(record, start=1)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidInput(f"The table {uri!r} names a column twice: {', '.join(twice)}.")
    return names


@dataclass(frozen=True, slots=True)
class _JsonNumber:
    """A number of JSON as it is written, since a float may have fewer digits."""

    text: str


def _json_line_cells(root: Root, uri: str) -> Iterator[Cells]:
    with opened_text(root, uri) as text:
        for number, line in enumerate(text, start=1):
            if line.strip():
                yield _json_cells(
                    _parsed_json(line, f"Line {number} of {uri!r}"), f"Line {number} of {uri!r}"
                )


def _json_file_cells(root: Root, uri: str) -> Iterator[Cells]:
    """An array of objects; or one object a line, as in JSON lines."""
    with opened_text(root, uri) as text:
        content = text.read()
    if not content.lstrip().startswith("["):
        yield from _json_line_cells(root, uri)
        return
    for number, row in enumerate(_parsed_json(content, repr(uri)), start=1):
        yield _json_cells(row, f"Row {number} of {uri!r}")


def _parsed_json(text: str, place: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
            raise InvalidInput(f"{place} names {twice[0]!r} twice.")
        return dict(pairs)

    def constant(word: str) -> None:
        if word != "NaN":
            raise InvalidInput(f"{place} holds {word}, which is no number of JSON; write null.")

    try:
        return json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=constant,
            parse_int=_JsonNumber,
            parse_float=_JsonNumber,
        )
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"{place} cannot be read as JSON: {error}") from error


def _json_cells(row: Any, place: str) -> Cells:
    if not isinstance(row, dict):
        raise InvalidInput(f"{place} is not a JSON object.")
    return {name: _json_cell(value) for name, value in row.items()}


def _json_cell(value: Any) -> Cell:
    if value is None:
        return "", "missing"
    if isinstance(value, str):
        value = value.encode(errors="replace").decode()  # JSON may name halves of surrogate pairs
        return value, kind_of_string(value)
    if isinstance(value, bool):
        return str(value).lower(), "truth"
    if isinstance(value, _JsonNumber):
        return value.text, kind_of_literal(value.text)
    return json.dumps(value, ensure_ascii=False, default=_plain_number), "text"


def _plain_number(number: _JsonNumber) -> int | float:
    whole = number.text.lstrip("-").isdigit() and len(number.text) < _MOST_DIGITS
    return int(number.text) if whole else float(number.text)


_CELLS: Mapping[str, Callable[[Root, str], Iterator[Cells]]] = {
    ".csv": _csv_cells,
    ".tsv": _csv_cells,
    ".json": _json_file_cells,
    ".jsonl": _json_line_cells,
    ".ndjson": _json_line_cells,
}
ENDINGS = (*_CELLS, ".parquet")
