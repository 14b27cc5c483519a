"""A matrix in colour: one hue, or two where signs matter, with the numbers in the cells where they fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from analysis.charts.parts import (
    DIGITS,
    INKS,
    PAPER,
    TEXT,
    Chart,
    Data,
    Row,
    inline,
    layered,
    rows_of,
    said,
)

CELLS = ((6, 64), (8, 52), (14, 36), (24, 26), (math.inf, 18))
"""Width of a cell in pixels for up to so many columns."""
FEWEST_FOR_TEXT = 26
LIGHT_TEXT = 0.62
"""Strength of a cell from which its number is in the colour of the paper."""
LIMIT = 220


@dataclass(frozen=True, slots=True)
class Sides:
    """What the rows and the columns of a matrix are."""

    rows: str
    columns: str
    value: str = "value"
    limit: float = 1.0
    """Absolute value of the strongest colour."""


def matrix(data: Data, *, title: str, sides: Sides, order: Sequence[str] = ()) -> Chart:
    """Draw a cell per row of a table.

    Args:
        data: columns row, column and value; text, where a cell says something else than its value.
        title: what it is, in a few words, for those who do not see it.
        sides: names of the two sides, and the strongest value.
        order: of the names on both sides; by default as they come.
    """
    cells = [row | _look(row, sides.limit) for row in rows_of(data) if row["value"] is not None]
    across = list(order) or list(dict.fromkeys(cell["column"] for cell in cells))
    down = list(order) or list(dict.fromkeys(cell["row"] for cell in cells))
    width = next(size for most, size in CELLS if len(across) <= most)
    base = alt.Chart(inline(cells)).encode(
        x=alt.X(
            "column:N",
            sort=across,
            title=f"{sides.columns} →",
            axis=alt.Axis(orient="top", labelAngle=-50, labelLimit=LIMIT, domain=False, ticks=False),
        ),
        y=alt.Y(
            "row:N",
            sort=down,
            title=f"{sides.rows} ↓",
            axis=alt.Axis(labelLimit=LIMIT, domain=False, ticks=False),
        ),
    )
    square = base.mark_rect(stroke=TEXT, strokeOpacity=0.12, strokeWidth=0.5).encode(
        color=alt.Color(
            "sign:N",
            scale=alt.Scale(domain=["positive", "negative"], range=[INKS["first"], INKS["second"]]),
            legend=None,
        ),
        fillOpacity=alt.FillOpacity("strength:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=None),
        tooltip=[
            alt.Tooltip("row:N", title=sides.rows),
            alt.Tooltip("column:N", title=sides.columns),
            alt.Tooltip("text:N", title=" "),
            alt.Tooltip("value:Q", title=sides.value, format=DIGITS),
        ],
    )
    layers = [square]
    if width >= FEWEST_FOR_TEXT:
        words = base.mark_text(fontSize=11, tooltip=None).encode(
            text="text:N",
            color=alt.Color(
                "tone:N", scale=alt.Scale(domain=["dark", "light"], range=[TEXT, PAPER]), legend=None
            ),
        )
        layers.append(words)
    chart: alt.LayerChart = (
        layered(*layers)
        .resolve_scale(color="independent")
        .properties(
            width=alt.Step(width),
            height=alt.Step(min(width, 32)),
            description=f"{title}. {_described(cells, down, across, sides)}",
        )
    )
    return chart


def _look(row: Row, limit: float) -> Row:
    strength = min(1.0, abs(row["value"]) / (limit or 1.0))
    return {
        "text": row.get("text", short(row["value"])),
        "strength": round(strength, 4),
        "sign": "negative" if row["value"] < 0 else "positive",
        "tone": "light" if strength >= LIGHT_TEXT else "dark",
    }


def short(value: float) -> str:
    """Two decimals in the room of a cell: ".48", "−.07", "1"."""
    text = f"{value:z.2f}".replace("-", "−")
    return {"1.00": "1", "−1.00": "−1"}.get(text, text.replace("0.", ".", 1))


def _described(cells: Sequence[Row], down: Sequence[str], across: Sequence[str], sides: Sides) -> str:
    """Size, and the strongest cells beside the diagonal."""
    beside = [cell for cell in cells if cell["row"] != cell["column"]]
    strongest = sorted(beside, key=lambda cell: -abs(cell["value"]))[:3]
    words = ", ".join(f"{cell['row']} and {cell['column']} {said(cell['value'])}" for cell in strongest)
    size = f"{len(down)} rows ({sides.rows}) by {len(across)} columns ({sides.columns})."
    return f"{size} Strongest beside the diagonal: {words}." if words else size
