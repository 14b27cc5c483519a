"""Types of table columns: one rule for what counts as a number, a truth value, missing or text."""

import math
import re
from collections.abc import Set as AbstractSet
from decimal import Context, Decimal
from functools import lru_cache
from typing import Literal

from store.records import Label

MISSING = frozenset([
    "", "NA", "N/A", "n/a", "<NA>", "#NA", "#N/A", "#N/A N/A", "NULL", "null", "None",
    "NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
])  # fmt: skip
"""Texts that mean "missing", spaces around them aside: those that pandas reads so by default."""

CellKind = Literal["missing", "truth", "integer", "long", "huge", "decimal", "comma", "text"]
"""What one cell may be: "long" are integers that a float may not hold exactly, "huge" numbers that neither
64 bits nor a float hold."""
ColumnType = Literal["integer", "number", "truth", "text"]

_ZEROS = frozenset("+-0.")
EXACT = 2**53
"""Up to here every whole number is a float of its own."""
_LONGEST = 2**63
_INTEGER = re.compile(r"[+-]?[1-9][0-9]*|\+?0")
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9][0-9]*|(?=\.[0-9]))(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+")


@lru_cache(maxsize=1 << 16)
def kind_of_literal(text: str) -> CellKind:
    """What a cell says that may be a number: a field of a CSV file, a number or truth value of JSON.

    Numbers are written with the digits 0–9, an optional sign, decimal point and power of ten. Leading zeros
    make a code of them, "_" and "," text, and so do infinities and what a float could not hold.
    """
    text = text.strip(" \t")
    if text in MISSING:
        return "missing"
    if text.lower() in ("true", "false"):
        return "truth"
    if _INTEGER.fullmatch(text):
        return _kind_of_integer(text)
    if _DECIMAL.fullmatch(text):
        return _kind_of_decimal(text)
    return "comma" if _COMMA.fullmatch(text) else "text"


def kind_of_string(text: str) -> CellKind:
    """What a cell says that its file declares to be text: a string of JSON."""
    return "missing" if text.strip(" \t") in MISSING else "text"


def type_of_column(kinds: AbstractSet[CellKind]) -> ColumnType:
    """The narrowest type that all cells of a column share; text holds everything."""
    said = kinds - {"missing"}
    if said and said <= {"integer", "long"}:
        return "integer"
    if said and said <= {"integer", "decimal"}:
        return "number"
    return "truth" if said == {"truth"} else "text"


def value_of(text: str, kind: CellKind, column: ColumnType) -> Label:
    """A cell as a value of its column's type; text stays as it was written."""
    if kind == "missing":
        return None
    if column == "integer":
        return int(text)
    if column == "number":
        return float(text)
    return text.strip(" \t").lower() == "true" if column == "truth" else text


def _kind_of_integer(text: str) -> CellKind:
    if len(text) > 20:  # spares the conversion of a million digits
        return "huge"
    number = int(text)
    if -EXACT <= number <= EXACT:
        return "integer"
    return "long" if -_LONGEST <= number < _LONGEST else "huge"


def _kind_of_decimal(text: str) -> CellKind:
    """What a number with a point or a power is: text where a float would be infinite, or 0 by rounding.

    Fractions are measurements, which any float may round in its 16th digit. Whole numbers may be ids, as may
    what is larger than `EXACT`: they are "huge" unless the float says their digits.
    """
    number = float(text)
    if not math.isfinite(number):
        return "text"
    if number == 0:
        return "decimal" if set(re.split("[eE]", text)[0]) <= _ZEROS else "text"
    written = Decimal(text)
    is_measurement = abs(written) < EXACT and written != written.to_integral_value()
    return "decimal" if is_measurement or _says(number, written) else "huge"


def _says(number: float, written: Decimal) -> bool:
    """Whether a float, in as few digits as tell it from others or in as many as are written, is that."""
    digits = Context(prec=len(written.as_tuple().digits))
    return Decimal(repr(number)) == written or digits.create_decimal_from_float(number) == written
