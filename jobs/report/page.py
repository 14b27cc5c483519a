"""Sections and figures of a report as data, with their numbers and SQL."""

import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.report.pictures import sound_picture
from store.errors import InvalidInput

if TYPE_CHECKING:
    from analysis.charts.parts import Chart


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, as it is shown."""

    name: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class DataTable:
    """Numbers as text, ready to be read: what a chart shows, without the chart."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    headed: bool = False
    """Whether the first cell of a row names it, as in a matrix."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of a figure."""

    chart: "Chart"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Sound:
    """One audio player."""

    name: str
    source: str
    """A data: URL, so that the page needs no other file."""
    note: str = ""
    picture: str = ""
    """A data: URL of its waveform and spectrogram; "" where there is none."""


@dataclass(frozen=True, slots=True)
class SoundGroup:
    """Players to compare, side by side: source, steered, control."""

    title: str
    sounds: tuple[Sound, ...]
    flags: tuple[str, ...] = ()
    """What went wrong there, in a word or two each: "no change", "distortion" …"""


@dataclass(frozen=True, slots=True)
class Figure:
    """Charts side by side, a caption, and the table beneath them."""

    name: str
    """Unique in the page: its anchor."""
    title: str
    caption: str
    panels: tuple[Panel, ...] = ()
    table: DataTable | None = None
    sql: str = ""
    """The statement whose answer the table is."""
    sounds: tuple[SoundGroup, ...] = ()
    wide: bool = False
    """Whether a chart takes the width of the page; it scrolls where there is too little."""
    open: bool = False
    """Whether the table is shown from the beginning."""
    folded: bool = False
    """Whether only the title is shown from the beginning."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with figures under it."""

    name: str
    title: str
    lead: str = ""
    figures: tuple[Figure, ...] = ()
    warnings: tuple[str, ...] = ()
    level: int = 2
    """Of the heading: 2 for a run, 3 within it."""
    folded: bool = False
    """Whether its figures are shown only when they are asked for: nothing was decided there."""


@dataclass(frozen=True, slots=True)
class Example:
    """The sounds to hear first, and what is known of them."""

    group: SoundGroup
    verdict: str


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, Mapping[str, str]]] = ()
    """By run: what it is, as names and values."""
    sections: Sequence[Section] = ()
    warnings: Sequence[str] = ()
    """Of the whole store: what it lacks."""
    found: Sequence[tuple[str, Sequence[str]]] = ()
    """By run: what was found, in sentences."""
    example: Example | None = None

    @property
    def has_charts(self) -> bool:
        return any(figure.panels for section in self.sections for figure in section.figures)


def data_table(answer: pa.Table) -> DataTable:
    """The answer to a query as a table for people; columns without any value are left out."""
    shown = [column for column in answer.schema if not _is_empty(answer, column.name)]
    columns = tuple(Column(one.name.replace("_", " "), _is_number(one.type)) for one in shown)
    values = [answer.column(one.name).to_pylist() for one in shown]
    return DataTable(columns, tuple(tuple(map(cell_text, row)) for row in zip(*values, strict=True)))


def matrix_table(
    corner: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[Any]]
) -> DataTable:
    """A matrix as a table whose first column names the rows."""
    heads = (Column(corner, is_number=False), *(Column(name, is_number=True) for name in columns))
    body = tuple((name, *map(cell_text, line)) for name, line in zip(rows, values, strict=True))
    return DataTable(heads, body, headed=True)


def cell_text(value: Any) -> str:
    """A value for eyes: three decimals, a true minus sign, an en dash where there is nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(map(cell_text, value))
    return str(value)


def anchor(*parts: Any) -> str:
    """An id from names: letters, digits and hyphens."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(part).lower()).strip("-") or "x" for part in parts)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_empty(answer: pa.Table, name: str) -> bool:
    column = answer.column(name)
    return len(column) > 0 and column.null_count == len(column)


MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".mp3": "audio/mpeg"}


def embedded_sound(name: str, data: bytes, file: str, *, note: str = "") -> Sound:
    """A player for one audio file.

    Args:
        name: what it is, for example "steered, α 0.4".
        data: content of the file.
        file: its name or key; the ending tells the format.
        note: what else to say of it.

    Raises:
        InvalidInput: browsers do not play files of this ending everywhere.
    """
    ending = PurePosixPath(file).suffix.lower()
    if ending not in MEDIA_TYPES:
        raise InvalidInput(f"{file} cannot be played in a page; only {', '.join(MEDIA_TYPES)} can.")
    source = f"data:{MEDIA_TYPES[ending]};base64,{b64encode(data).decode()}"
    return Sound(name, source, note, sound_picture(data))
