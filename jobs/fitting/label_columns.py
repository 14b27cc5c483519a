"""One column of a label query as class codes or numbers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.concepts import Concept
from store.errors import InvalidInput


def read_column(name: str, column: pa.ChunkedArray) -> Concept:
    """Text and booleans become codes of sorted classes, numbers stay numbers.

    Raises:
        InvalidInput: the column holds something else, or an infinite number.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _classes(name, column.cast(pa.string()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(name, column)
    raise InvalidInput(
        f"Label {name!r} has type {kind}; text and booleans make classes, numbers are regressed. "
        f"CAST it to VARCHAR or DOUBLE in the query."
    )


def _classes(name: str, column: pa.ChunkedArray) -> Concept:
    classes = sorted(pc.unique(column.drop_null()).to_pylist())
    codes = pc.index_in(column, value_set=pa.array(classes, pa.string()))
    return Concept(name, "class", pc.fill_null(codes, -1).to_numpy().astype(np.int64), tuple(classes))


def _numbers(name: str, column: pa.ChunkedArray) -> Concept:
    try:
        numbers = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
    except pa.ArrowInvalid as error:
        raise InvalidInput(
            f"Label {name!r} holds whole numbers of more digits than can be regressed; if they are names, "
            f"make classes of them in the query: CAST({name} AS VARCHAR) AS {name}."
        ) from error
    if np.isinf(numbers).any():
        raise InvalidInput(f"Label {name!r} is infinite for {np.isinf(numbers).sum()} clips.")
    return Concept(name, "number", numbers)
