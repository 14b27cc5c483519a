"""Parquet files as rows of label values or as an Arrow table, with the class names of Hugging Face."""

import json
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from pipelines.audio.files import Root
from pipelines.datasets.column_types import MISSING
from pipelines.datasets.remarks import Say
from store.errors import InvalidInput
from store.records import Label

BATCH_ROWS = 4096
_LONGEST = 2**63 - 1
_EXACT_DIGITS = 15
"""Decimal digits that every float keeps."""


@contextmanager
def opened_parquet(root: Root, uri: str) -> Iterator[parquet.ParquetFile]:
    """A Parquet file; inside the block what cannot be read becomes `InvalidInput`."""
    try:
        with root.open(uri) as file, parquet.ParquetFile(file, pre_buffer=False) as opened:
            yield opened
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"The table {uri!r} cannot be read as Parquet: {error}") from error


def read_rows(
    root: Root, uri: str, say: Say, *, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Label]]:
    """The rows, one at a time, without columns that hold bytes (audio, images).

    Args:
        root: where the file is.
        uri: its name.
        say: takes remarks on its columns, once the last row has passed.
        columns: those that are wanted, all by default.
    """
    huge: dict[str, int] = {}
    for batch in _batches(root, uri, say, columns):
        for row in batch.to_pylist():
            labels = {name: as_label(value) for name, value in row.items()}
            for name, value in labels.items():
                if isinstance(value, int) and not -_LONGEST - 1 <= value <= _LONGEST:
                    huge.setdefault(name, value)
            yield labels
    for name, value in huge.items():
        say(_remark_on_huge(name, value))


def read_arrow(root: Root, uri: str, say: Say) -> pa.Table:
    """All rows; whole numbers that no 64-bit integer holds become text, as labels do."""
    batches = list(_batches(root, uri, say, None))
    table = pa.Table.from_batches(batches)
    for place, column in enumerate(table.schema):
        if pa.types.is_uint64(column.type) or (pa.types.is_decimal(column.type) and column.type.scale <= 0):
            table = table.set_column(
                place, column.name, _whole_numbers(column.name, table.column(place), say)
            )
    return table


def label_columns(schema: pa.Schema) -> list[str]:
    """Names of the columns that hold no bytes."""
    return [column.name for column in schema if not holds_bytes(column.type)]


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether values of a type are bytes or hold some: audio and images are no labels."""
    if pa.types.is_nested(kind):
        return any(holds_bytes(kind.field(place).type) for place in range(kind.num_fields))
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of the classes of each column that Hugging Face's `datasets` wrote as a ClassLabel."""
    try:
        written = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = written["info"]["features"]
        return {
            name: [str(one) for one in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # other programs may write under that key what they like


def as_label(value: Any) -> Label:
    """One value of a Parquet file as a label."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Decimal):
        return _decimal_label(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _decimal_label(value: Decimal) -> Label:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= 0:
        return int(value)
    return float(value) if len(value.as_tuple().digits) <= _EXACT_DIGITS else str(value)


def _batches(root: Root, uri: str, say: Say, wanted: Collection[str] | None) -> Iterator[pa.RecordBatch]:
    with opened_parquet(root, uri) as opened:
        schema = opened.schema_arrow
        if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
            raise InvalidInput(f"The table {uri!r} names a column twice: {', '.join(twice)}.")
        columns = [name for name in label_columns(schema) if wanted is None or name in wanted]
        left_out = [name for name in schema.names if wanted is None and name not in columns]
        names = class_names(schema)
        kept = pa.schema([_kept_field(schema.field(name), names) for name in columns])
        for batch in opened.iter_batches(batch_size=BATCH_ROWS, columns=columns, use_threads=False):
            arrays = [_plain(batch.column(name), names.get(name)) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=kept)
        if opened.metadata.num_rows == 0:
            yield pa.RecordBatch.from_pylist([], schema=kept)
        if left_out:
            say(f"Columns that hold bytes are left out of {uri!r}: {', '.join(left_out)}.")


def _kept_field(column: pa.Field, names: Mapping[str, list[str]]) -> pa.Field:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    is_text = _is_text(kind) or (column.name in names and pa.types.is_integer(kind))
    return pa.field(column.name, pa.string() if is_text else kind)


def _plain(column: pa.Array, names: list[str] | None) -> pa.Array:
    """Text and numbers without words for "missing", classes by their names, and no dictionaries."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if names and pa.types.is_integer(column.type):
        known = pc.and_(pc.greater_equal(column, 0), pc.less(column, len(names)))
        return pa.array(names, pa.string()).take(pc.if_else(known, column, pa.scalar(None, column.type)))
    if pa.types.is_floating(column.type):  # NaN is such a word
        return pa.array(column.to_numpy(zero_copy_only=False), column.type, from_pandas=True)
    if not _is_text(column.type):
        return column
    column = column.cast(pa.string())
    missing = pc.is_in(pc.utf8_trim(column, " \t"), value_set=pa.array(sorted(MISSING)))
    return pc.if_else(missing, pa.scalar(None, pa.string()), column)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _whole_numbers(name: str, column: pa.ChunkedArray, say: Say) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        values = [None if value is None else int(value) for value in column.to_pylist()]
        say(_remark_on_huge(name, max((value for value in values if value is not None), key=abs)))
        return pa.chunked_array([pa.array([value if value is None else str(value) for value in values])])


def _remark_on_huge(name: str, value: int) -> str:
    return f"Column {name!r} is text, to keep every digit: no 64-bit integer holds {value}."
