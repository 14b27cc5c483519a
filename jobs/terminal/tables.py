"""Print tables: for people within the width of their terminal, or as CSV, JSON or Parquet for programs."""

import io
import json
import math
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import click
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs.terminal import waiting
from jobs.terminal.table_formats import TableFormat
from jobs.terminal.text import printable
from store.errors import InvalidInput, counted

FORMULA_BEGINNINGS = tuple("=+-@\t\r\n＝＋－＠")
"""What makes a spreadsheet take text for a formula (OWASP: CSV injection)."""
_SPECIAL = re.compile(r'[",\r\n]|^\s|\s$')
"""What a field of CSV is quoted for."""
_MARK = uuid4().hex
"""Before the digits of a decimal; nobody's data can hold it."""
_MARKED = re.compile(rf'"{_MARK}(-?[0-9.]+)"')
SHOWN_ROWS = 100
SHOWN_LIST_ITEMS = 4
SHOWN_CHARACTERS = 120
READABLE = 12
"""Characters that a column may take before others are left out for it; longer cells are wrapped."""
SHORT_ID = 8
"""Characters of an id where a table is too wide to show it whole; commands take the beginning of an id."""
PIPE_WIDTH = 10_000
ANY_FORMAT = "--format csv or json prints all"
ONLY_JSON = "--format json prints all"


@dataclass(frozen=True, slots=True)
class Narrow:
    """What a table shows where it is wider than the terminal, and how to see the rest."""

    keep: tuple[str, ...] = ()
    """Columns by importance, the conclusion and its control first; others follow in the table's order."""
    ids: tuple[str, ...] = ()
    """Columns of ids, which are cut to their beginning."""
    beyond: str = ANY_FORMAT
    """How to see the rows and columns that are not shown."""
    columns: str = "a wider terminal shows more"
    """How to see other columns on this terminal."""


def write_result(
    table: pa.Table, form: TableFormat, *, output: Path | None = None, narrow: Narrow | None = None
) -> None:
    """Write `table` to `output` or to standard output."""
    table = table.rename_columns(unique_names(table.column_names))
    if output is not None:
        with output.open("wb") as stream:
            _write(table, form, stream, narrow)
        return
    standard = sys.stdout.buffer
    if form == "parquet" and standard.isatty():
        raise click.UsageError("Parquet is not for a terminal; give --output FILE or redirect the output.")
    waiting.end()
    _write(table, form, standard, narrow)
    standard.flush()


def unique_names(names: Sequence[str]) -> list[str]:
    """Column names with "_1", "_2" … after the repeated ones: a join may return clip_id twice."""
    taken, seen, result = set(names), Counter[str](), []
    for name in names:
        unique = name
        while seen[name] and unique in taken:
            unique = f"{name}_{seen[name]}"
            seen[name] += 1
        seen[name] = seen[name] or 1
        taken.add(unique)
        result.append(unique)
    return result


def _write(table: pa.Table, form: TableFormat, stream: BinaryIO, narrow: Narrow | None) -> None:
    try:
        _write_as(table, form, stream, narrow)
    except (OverflowError, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(
            f"The result holds a value that cannot be written as {form} ({error}), such as a date before the "
            "year 1: ask for CAST(column AS VARCHAR), or --format parquet."
        ) from error


def _write_as(table: pa.Table, form: TableFormat, stream: BinaryIO, narrow: Narrow | None = None) -> None:
    if form == "parquet":
        pq.write_table(table, stream)
    elif form == "json":
        stream.write(to_json(_shortest_numbers(table).to_pylist()).encode())
    elif form in ("csv", "csv-safe"):
        text = to_csv(_shortest_numbers(table), safe=form == "csv-safe")
        if form == "csv-safe" or stream.isatty():  # control characters would command a terminal
            text = "\n".join(map(printable, text.split("\n")))
        stream.write(text.encode())
    else:
        stream.write(to_text(table, width=_terminal_width(stream), narrow=narrow).encode())


def to_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """A JSON array of records, one per line; NaN and infinities become null.

    A DECIMAL is a number with all its digits, also where a double would not hold them.
    """
    lines = [_json(row) for row in rows]
    return "[" + ",\n ".join(lines) + "]\n"


def to_csv(table: pa.Table, *, safe: bool = False) -> str:
    """CSV with a header; lists and structs are JSON in their field.

    NULL is nothing and an empty text `""`, as DuckDB, PostgreSQL and Arrow write them and can read them.
    With `safe` no text is a formula for a spreadsheet, nor cut at another separator; numbers stay numbers.
    """
    lines = [",".join(_csv_field(name, safe=safe) for name in table.column_names)]
    for batch in table.to_batches():
        columns = [column.to_pylist() for column in batch.columns]
        lines += [
            ",".join(_csv_field(value, safe=safe) for value in row) for row in zip(*columns, strict=True)
        ]
    return "".join(f"{line}\n" for line in lines)


def to_text(table: pa.Table, *, width: int, rows: int = SHOWN_ROWS, narrow: Narrow | None = None) -> str:
    """A table for eyes within `width` characters: first rows, the columns that fit, how to see the others."""
    narrow = narrow or Narrow()
    drawing = Table(box=None, header_style="bold", pad_edge=False)
    names = table.column_names
    cells = [[shown(value) for value in column.to_pylist()] for column in table.slice(0, rows).columns]
    if _needed(names, cells) > width:
        cells = [_shortened(name, column, narrow) for name, column in zip(names, cells, strict=True)]
    fitting = _fitting(names, cells, width, narrow.keep)
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    for place in fitting:
        field = table.schema.field(place)
        right = any(is_kind(field.type) for is_kind in kinds)
        drawing.add_column(Text(printable(field.name)), justify="right" if right else "left", overflow="fold")
    for row in zip(*(cells[place] for place in fitting), strict=True):
        drawing.add_row(*map(Text, row))
    console = Console(width=width, file=io.StringIO(), color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(drawing)
    lines = "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    left_out = [name for place, name in enumerate(names) if place not in fitting]
    return lines + _row_note(table.num_rows, rows, narrow.beyond) + _column_note(left_out, width, narrow)


def _needed(names: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """Characters that a line takes with every cell in one piece."""
    return (
        sum(max(map(len, (printable(name), *column))) + 2 for name, column in zip(names, cells, strict=True))
        - 2
    )


def _shortened(name: str, column: Sequence[str], narrow: Narrow) -> list[str]:
    return [cell[:SHORT_ID] for cell in column] if name in narrow.ids else list(column)


def _fitting(
    names: Sequence[str], cells: Sequence[Sequence[str]], width: int, keep: Sequence[str]
) -> list[int]:
    """Places of the columns that fit side by side, none narrower than what one takes in at a glance.

    Those to `keep` are given room first, each that fits; of the others, as many as fit in their order.
    """
    important = [names.index(name) for name in keep if name in names]
    others = [place for place in range(len(names)) if place not in important]
    taken: list[int] = []
    room = width + 2
    for place in (*important, *others):
        needed = min(READABLE, max(map(len, (printable(names[place]), *cells[place])))) + 2
        if needed <= room or not taken:
            taken.append(place)
            room -= needed
        elif place in others:
            break
    return sorted(taken)


def _column_note(names: Sequence[str], width: int, narrow: Narrow) -> str:
    if not names:
        return ""
    count = counted(len(names), "more column")
    note = f"(and {count}: {', '.join(map(printable, names))}; {narrow.columns}, {narrow.beyond})"
    return "".join(f"{line}\n" for line in textwrap.wrap(note, max(20, width)))


def _shortest_numbers(table: pa.Table) -> pa.Table:
    """FLOAT columns as DOUBLE by their decimal digits: 0.7, not 0.699999988079071."""
    for place, field in enumerate(table.schema):
        if pa.types.is_float32(field.type):
            digits = table.column(place).cast(pa.string())
            table = table.set_column(place, field.name, digits.cast(pa.float64()))
    return table


def _row_note(total: int, shown: int, beyond: str) -> str:
    if total > shown:
        return f"({total} rows, the first {shown} shown; {beyond})\n"
    return f"({total} row{'' if total == 1 else 's'})\n"


def _terminal_width(stream: BinaryIO) -> int:
    """Columns of the terminal; a pipe gets lines as long as they need to be."""
    return Console().width if stream.isatty() else PIPE_WIDTH


def shown(value: Any) -> str:
    """A value as a cell for eyes: short, on one line."""
    return _cut(printable(_shown(value)))


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and len(value) > SHOWN_LIST_ITEMS:
        first = ", ".join(_shown(item) for item in value[:SHOWN_LIST_ITEMS])
        return f"[{first}, … {len(value)} values]"
    if isinstance(value, list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    return _json(value) if isinstance(value, dict) else _text(value)


def _text(value: Any) -> str:
    """One value that is neither a list nor an object, for eyes."""
    return f"{value:f}" if isinstance(value, Decimal) else str(_plain(value))


def _cut(text: str) -> str:
    """Long text (run.json, an error's story) without its end; the other formats have it whole."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"


def _csv_field(value: Any, *, safe: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    text = _csv_text(value)
    if safe:
        text = f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text
    elif text and not _SPECIAL.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _csv_text(value: Any) -> str:
    if isinstance(value, list | dict):
        return _json(value)
    if isinstance(value, pa.MonthDayNano):
        return interval_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def interval_text(value: pa.MonthDayNano) -> str:
    """An INTERVAL as DuckDB writes it: "1 year 2 months 3 days 04:05:06.7"."""
    sign = -1 if value.months < 0 else 1
    years, months = divmod(abs(value.months), 12)
    named = ((sign * years, "year"), (sign * months, "month"), (value.days, "day"))
    words = [f"{number} {unit}{'' if abs(number) == 1 else 's'}" for number, unit in named if number]
    seconds, micros = divmod(abs(value.nanoseconds) // 1000, 1_000_000)
    if seconds or micros or not words:
        fraction = f".{micros:06d}".rstrip("0") if micros else ""
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
        words.append(f"-{clock}" if value.nanoseconds < 0 else clock)
    return " ".join(words)


def _json(value: Any) -> str:
    """One line of JSON; the encoder has no numbers for decimals, so they come to it as marked texts."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    return _MARKED.sub(r"\1", text)


def _plain(value: Any) -> Any:
    """`value` with only what JSON knows; decimals as marked texts."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, pa.MonthDayNano):
        return interval_text(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else f"{_MARK}{value:f}"
    return value if value is None or isinstance(value, bool | int | str) else str(value)
