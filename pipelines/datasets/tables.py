"""Rows of a table file (CSV, TSV, Parquet, JSON lines) as dictionaries of label values, streamed."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, TextIO

from pipelines.files import Root
from store.errors import InvalidInput
from store.records import Label

Row = Mapping[str, Label]
_FIELD_BYTES = 1 << 27
_INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_MISSING = frozenset(["", "nan", "NaN", "null", "None", "NA"])


def read_table(root: Root, uri: str) -> Iterator[Row]:
    """The rows of a table file, one at a time.

    A CSV column holds whole numbers, numbers or truth values only if every row of it does, text
    otherwise; numbers with leading zeros are text. Lists and nested values become JSON text.

    Raises:
        InvalidInput: another kind of file, or one that does not parse.
    """
    suffix = PurePosixPath(uri).suffix.lower()
    if suffix not in _READERS:
        raise InvalidInput(f"{uri!r} is not a table; a table's name ends in {', '.join(sorted(_READERS))}.")
    try:
        yield from _READERS[suffix](root, uri)
    except (csv.Error, UnicodeDecodeError, json.JSONDecodeError, OSError) as error:
        raise InvalidInput(f"The table {uri!r} cannot be read as {suffix}: {error}") from error


def is_table_name(uri: str) -> bool:
    """Whether a file's name says that it is a table."""
    return PurePosixPath(uri).suffix.lower() in _READERS


@contextmanager
def opened_text(root: Root, uri: str) -> Iterator[TextIO]:
    """A text file, UTF-8 with or without a byte order mark, line ends untouched as csv wants them."""
    # FMA's biographies are longer than the 128 KB the csv module allows a field by default.
    csv.field_size_limit(_FIELD_BYTES)
    with root.open(uri) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        yield text


def _read_csv(root: Root, uri: str) -> Iterator[Row]:
    kinds: dict[str, list[Kind]] = {}
    for row in _csv_text(root, uri):
        for name, text in row.items():
            kinds[name] = [kind for kind in kinds.get(name, _KINDS) if _holds(kind, text)]
    for row in _csv_text(root, uri):
        yield {name: None if text in _MISSING else kinds[name][0](text) for name, text in row.items()}


def _csv_text(root: Root, uri: str) -> Iterator[dict[str, str]]:
    with opened_text(root, uri) as text:
        first_line = text.readline()
        text.seek(0)
        delimiter = max(",;\t", key=first_line.count)
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        header = next(reader, [])
        if len(set(header)) < len(header):
            raise InvalidInput(f"The table {uri!r} names a column twice: {', '.join(header)}.")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise InvalidInput(
                    f"Line {reader.line_num} of {uri!r} has {len(row)} fields, its header has {len(header)}."
                )
            yield dict(zip(header, row, strict=True))


def _as_integer(text: str) -> Label:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _as_number(text: str) -> Label:
    unsigned = text.lstrip("+-")
    if unsigned[:1] == "0" and unsigned[1:2].isdigit():
        raise ValueError(text)
    return float(text)


def _as_truth(text: str) -> Label:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


Kind = Callable[[str], Label]
_KINDS: Sequence[Kind] = (_as_integer, _as_number, _as_truth, str)
"""From narrow to wide; text holds everything."""


def _holds(kind: Kind, text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return text in _MISSING
    return True


def _read_json_lines(root: Root, uri: str) -> Iterator[Row]:
    with opened_text(root, uri) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise InvalidInput(f"Line {number} of {uri!r} is not a JSON object.")
            yield {str(name): _as_label(value) for name, value in row.items()}


def _read_parquet(root: Root, uri: str) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with root.open(uri) as file, parquet.ParquetFile(file, pre_buffer=False) as table:
            for batch in table.iter_batches(batch_size=4096, use_threads=False):
                for row in batch.to_pylist():
                    yield {name: _as_label(value) for name, value in row.items()}
    except pa.ArrowException as error:
        raise InvalidInput(f"The table {uri!r} cannot be read as Parquet: {error}") from error


def _as_label(value: Any) -> Label:
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


_READERS: Mapping[str, Callable[[Root, str], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
