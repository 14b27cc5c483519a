"""Draw comparisons of layers as heat maps of characters: a row per layer, a column per layer of the other."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

SHADES = " ░▒▓█"
GROUPED = ("array", "other_array", "concept", "through")
CELL = 7
"""Characters of a cell with its number; where that is too wide, cells are shades alone."""
Numbers = dict[tuple[int, int], float]


def matrices(table: pa.Table, number: str) -> str:
    """A heat map per pair of arrays and, of probes, per concept and way, of that column."""
    names = [name for name in GROUPED if name in table.column_names]
    found: dict[tuple[Any, ...], Numbers] = {}
    for row in table.to_pylist():
        own = found.setdefault(tuple(row[name] for name in names), {})
        own[row["layer"], row["other_layer"]] = row[number]
    width = shutil.get_terminal_size().columns
    return "\n".join(
        "\n".join([_title(kind, number), *_drawn(numbers, width), ""]) for kind, numbers in found.items()
    )


def _title(kind: tuple[Any, ...], number: str) -> str:
    array, other, *probe = kind
    said = f"{probe[0]} ({'as it is' if probe[1] == 'direct' else 'through a map'})" if probe else number
    return f"{said}: layers of {array} downwards, of {other} to the right"


def _drawn(numbers: Numbers, width: int) -> Iterator[str]:
    down, right = (sorted({place[side] for place in numbers}) for side in (0, 1))
    margin = max(len(str(layer)) for layer in down) + 1
    cell = CELL if margin + CELL * len(right) <= width else 1
    yield " " * margin + _header(right, cell)
    for layer in down:
        yield f"{layer:>{margin - 1}} " + "".join(_cell(numbers.get((layer, one)), cell) for one in right)


def _header(layers: Sequence[int], cell: int) -> str:
    if cell == 1:
        return f"{layers[0]} to {layers[-1]}"
    return "".join(f"{layer:>{cell}}" for layer in layers)


def _cell(value: float | None, cell: int) -> str:
    if value is None or value != value:  # noqa: PLR0124 (NaN)
        return "?".rjust(cell)
    shade = SHADES[min(len(SHADES) - 1, int(max(value, 0.0) * len(SHADES)))]
    return shade if cell == 1 else f" {shade}{value:5.2f}"
