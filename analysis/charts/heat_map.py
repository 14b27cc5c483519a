"""A heat map: one hue, or two where signs matter, and the numbers in the cells where they fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from analysis.charts.svg import drawing, element, hover, label, name_label, text_width

LABEL_WIDTH = 300.0
GAP = 6.0
HEADER = 16.0
"""Height of the line with the names of the two axes."""
CELLS = ((8, 36.0), (14, 30.0), (24, 22.0), (math.inf, 18.0))
"""Cell width in pixels for up to so many columns."""
TEXTS = (("", 11.0), (" small", 9.0))
"""Classes of the numbers in cells, with their font sizes: the first that fits."""
TEXT_MARGIN = 1.2
"""Digits are wider than most letters, and do not touch."""
STRONG, MIDDLE = 0.72, 0.5
SLOPE_DEGREES = -50.0


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A matrix of numbers with names for its rows and columns."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    """NaN is an empty cell."""
    row_name: str
    column_name: str
    texts: Sequence[Sequence[str]] = ()
    """What stands in the cells, if they are wide enough."""
    limit: float = 1.0
    """Absolute value of the strongest colour. Negative values have a hue of their own."""


def heat_map(name: str, title: str, chart: HeatMap) -> str:
    """Draws the matrix as inline SVG whose ids begin with `name`."""
    cell = next(width for columns, width in CELLS if len(chart.columns) <= columns)
    left = GAP + min(LABEL_WIDTH, max(map(text_width, chart.rows)))
    longest = min(LABEL_WIDTH, max(map(text_width, chart.columns)))
    slope = math.radians(-SLOPE_DEGREES)
    top = HEADER + longest * math.sin(slope) + GAP
    overhang = longest * math.cos(slope)
    drawn = [
        label(f"{chart.row_name} ↓   {chart.column_name} →", (0, HEADER / 2), class_="axis-name"),
        *_row_labels(chart.rows, left, top, cell),
        *_column_labels(chart.columns, left, top, cell),
        *_cells(chart, left, top, cell),
    ]
    return drawing(
        name,
        drawn,
        title=title,
        description=_describe(chart),
        width=left + cell * len(chart.columns) + overhang,
        height=top + cell * len(chart.rows) + GAP,
    )


def _row_labels(names: Sequence[str], left: float, top: float, cell: float) -> list[Element]:
    return [
        name_label(text, (left - GAP, top + cell * (row + 0.5)), LABEL_WIDTH, anchor="end")
        for row, text in enumerate(names)
    ]


def _column_labels(names: Sequence[str], left: float, top: float, cell: float) -> list[Element]:
    """Sloping up to the right from the middle of each column."""
    labels = []
    for column, text in enumerate(names):
        x, y = left + cell * (column + 0.5), top - GAP
        drawn = name_label(text, (x, y), LABEL_WIDTH)
        drawn.set("transform", f"rotate({SLOPE_DEGREES:g} {x:.1f} {y:.1f})")
        labels.append(drawn)
    return labels


def _cells(chart: HeatMap, left: float, top: float, cell: float) -> list[Element]:
    drawn = []
    size = _text_size(chart.texts, cell)
    for row, values in enumerate(chart.values):
        for column, value in enumerate(values):
            if not math.isfinite(value):
                continue
            x, y = left + cell * column, top + cell * row
            shade = min(1.0, abs(value) / chart.limit)
            text = chart.texts[row][column] if chart.texts else f"{value:.2f}"
            seen = f"{chart.row_name} {chart.rows[row]}, {chart.column_name} {chart.columns[column]}: {text}"
            drawn.append(_square(x, y, cell, shade, seen, negative=value < 0))
            if size is not None and text:
                middle, class_ = (x + cell / 2, y + cell / 2), f"cell-text {_tone(shade)}{size}"
                drawn.append(label(text, middle, anchor="middle", class_=class_))
    return drawn


def _text_size(texts: Sequence[Sequence[str]], cell: float) -> str | None:
    """Class of the largest numbers that fit into cells of this width, all alike; None where none do."""
    longest = max((text for line in texts for text in line), key=len, default="")
    room = cell / TEXT_MARGIN
    fitting = (class_ for class_, size in TEXTS if text_width(longest, font_size=size) <= room)
    return next(fitting, None) if longest else None


def _square(x: float, y: float, cell: float, shade: float, seen: str, *, negative: bool) -> Element:
    class_ = "cell negative" if negative else "cell"
    size = cell - 1
    opacity = f"{shade:.3f}"
    return element(
        "rect", hover(seen), x=x, y=y, width=size, height=size, class_=class_, fill_opacity=opacity
    )


def _tone(shade: float) -> str:
    """How dark the cell is: which colour of text can be read on it is the style sheet's to say."""
    return "on-strong" if shade >= STRONG else "on-middle" if shade >= MIDDLE else "on-weak"


def _describe(chart: HeatMap) -> str:
    """Size, and the strongest cells beside the diagonal."""
    cells = [
        (abs(value), f"{chart.rows[row]} and {chart.columns[column]} {value:.2f}")
        for row, values in enumerate(chart.values)
        for column, value in enumerate(values)
        if math.isfinite(value) and chart.rows[row] != chart.columns[column]
    ]
    strongest = ", ".join(text for _, text in sorted(cells, key=lambda cell: -cell[0])[:3])
    size = f"{len(chart.rows)} rows ({chart.row_name}) by {len(chart.columns)} columns ({chart.column_name})."
    return f"{size} Strongest beside the diagonal: {strongest}." if strongest else size
