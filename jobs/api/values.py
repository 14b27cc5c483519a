"""Convert values of Python (lists of layers, data frames) to the texts that commands take."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

Names = str | Sequence[str] | None
"""One name, several, or None for all there are."""
Layers = int | Iterable[int] | str | None
"""One number, several (`range(4, 8)`), or None for all there are; or as commands say it: "4-7", "all"."""
Tables = Mapping[str, Any] | None
"""By name: Arrow tables, data frames, columns, or paths of CSV, Parquet and JSON files."""


def names_text(names: Names) -> str:
    """Names as the text of a command's option: "resid,attn", or "all"."""
    if names is None:
        return "all"
    return names if isinstance(names, str) else ",".join(names)


def layers_text(layers: Layers) -> str:
    """Layers as the text of a command's option: "4,5,6,7", or "all".

    Raises:
        InvalidInput: what was given holds no layer, or something that is no whole number from 0 on.
    """
    if layers is None or isinstance(layers, str):
        return layers or "all"
    numbers = [layers] if isinstance(layers, int) else list(layers)
    if not numbers or not all(map(_is_layer, numbers)):
        raise InvalidInput(f"Layers {layers!r}: give whole numbers from 0 on, such as range(4, 8) or [5].")
    return ",".join(str(int(one)) for one in numbers)


def heads_text(heads: Layers) -> str:
    """Heads as the text of a command's option: "0,3", "all", or nothing."""
    return "" if heads is None else layers_text(heads)


def _is_layer(one: object) -> bool:
    return hasattr(one, "__index__") and not isinstance(one, bool) and int(one) >= 0


def numbers_text(numbers: Sequence[float] | str | None) -> str:
    """Numbers as the text of a command's option: "0.01,1", or "auto"."""
    if numbers is None or isinstance(numbers, str):
        return numbers or "auto"
    return ",".join(repr(float(one)) for one in numbers)


def roots_texts(roots: Mapping[str, str | Path] | None) -> tuple[str, ...]:
    """Folders of datasets as the texts of a command's options: NAME=PATH."""
    return tuple(f"{name}={path}" for name, path in (roots or {}).items())


def one_each(given: Any, count: int, what: str) -> list[Any]:
    """One value for all, or one each."""
    if isinstance(given, str) or not hasattr(given, "__len__"):
        return [given] * count
    if len(given) != count:
        raise InvalidInput(f"{len(given)} values of {what} for {count}: give one for all, or one each.")
    return list(given)


def arrow_tables(tables: Tables) -> "dict[str, pa.Table]":
    """Tables that a query may read beside the catalog.

    Raises:
        InvalidInput: something is no table.
        NotFound: there is no such file.
    """
    return {name: _arrow_table(name, table) for name, table in (tables or {}).items()}


def _arrow_table(name: str, table: Any) -> "pa.Table":
    import pyarrow as pa

    if isinstance(table, str | Path):
        from jobs.fitting.user_tables import read_user_table

        return read_user_table(str(table))[0]
    if isinstance(table, pa.Table):
        return table
    try:
        return pa.table(table)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"Table {name!r} is a {type(table).__name__}; give an Arrow table, a data frame, a dictionary of "
            "columns, or the path of a CSV, Parquet or JSON file."
        ) from error
