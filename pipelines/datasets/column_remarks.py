"""Say why a column that looks like numbers became text: which entry decided it, and in which row."""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

from pipelines.datasets.column_types import CellKind, kind_of_literal, type_of_column

_NUMBERS = frozenset({"integer", "long", "huge", "decimal"})
_RANKS: dict[CellKind, int] = {"comma": 3, "huge": 2, "long": 1}
_NEARLY = re.compile(
    r"[+-]?(?:inf(?:inity)?|[0-9]{1,3}(?:[ '’_,][0-9]{3})+(?:[.,][0-9]*)?"
    r"|(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+) ?%)",
    re.IGNORECASE,
)  # NFKC has made one kind of all blanks
_SIGNS = str.maketrans({"−": "-", "٪": "%", "٫": ".", "٬": ","})


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell, and the row that it stands in, counted from 1 without the header."""

    text: str
    row: int


@dataclass(slots=True)
class ColumnCensus:
    """What the cells of a column said, as they pass."""

    kinds: set[CellKind] = field(default_factory=set)
    entries: int = 0
    """Cells that are not missing."""
    numbers: int = 0
    """Those that are numbers, or are written nearly as such."""
    deciding: Entry | None = None
    """The first cell of the kind that a remark on numbers is about."""
    stray: Entry | None = None
    """The first cell that is no number, unless leading zeros make a code of it."""
    coded: Entry | None = None
    """The first cell with leading zeros."""
    shortest: int | None = None
    """Digits of the shortest whole number without: codes are filled up to one length."""

    def see(self, text: str, kind: CellKind, row: int) -> None:
        """Count a cell."""
        self.kinds.add(kind)
        if kind == "missing":
            return
        self.entries += 1
        is_number = kind in _NUMBERS
        self.numbers += is_number or kind == "comma" or is_nearly_number(text)
        self._see_zeros(text, kind, row)
        if self.stray is None and not is_number and not _is_code(text):
            self.stray = Entry(text, row)
        if _RANKS.get(kind, 0) > self._rank():
            self.deciding = Entry(text, row)

    def _see_zeros(self, text: str, kind: CellKind, row: int) -> None:
        if _is_code(text):
            self.coded = self.coded or Entry(text, row)
        elif kind == "integer":
            digits = len(text.strip(" \t+-"))
            self.shortest = digits if self.shortest is None else min(self.shortest, digits)

    @property
    def odd(self) -> Entry | None:
        """The cell that keeps numbers from being some: no number, or one with zeros before it by chance."""
        is_filled_up = (
            not self.coded or self.shortest is None or self.shortest >= len(self.coded.text.strip())
        )
        return self.stray if is_filled_up else self.stray or self.coded

    def _rank(self) -> int:
        return _RANKS.get(kind_of_literal(self.deciding.text), 0) if self.deciding else 0


@lru_cache(maxsize=1 << 16)
def is_nearly_number(text: str) -> bool:
    """Whether people read a number where tables have none: inf, 1 000, 1,234, 5 %, digits of any script."""
    plain = unicodedata.normalize("NFKC", text).translate(_SIGNS).strip()
    plain = "".join(str(unicodedata.decimal(letter, letter)) for letter in plain)
    return bool(_NEARLY.fullmatch(plain)) or (plain != text and kind_of_literal(plain) in _NUMBERS)


def remark_on_column(name: str, census: ColumnCensus) -> str | None:
    """A sentence on a column of numbers that had to become text, None where nothing is to be said."""
    if type_of_column(census.kinds) != "text":
        return None
    said = census.kinds - {"missing"}
    deciding = census.deciding
    if deciding and "comma" in said and said <= {"comma", *_NUMBERS}:
        return (
            f"Column {name!r} is text: it has numbers with commas, the first {deciding.text!r} in row "
            f"{deciding.row}; write a decimal point, and nothing between thousands, to have numbers."
        )
    if deciding and said <= _NUMBERS:
        return (
            f"Column {name!r} is text, to keep every digit: no type of number holds {deciding.text!r} "
            f"(row {deciding.row}) and the others exactly."
        )
    if (odd := census.odd) and 2 * census.numbers > census.entries:
        return (
            f"Column {name!r} is text, although most of its entries look like numbers: "
            f"{odd.text[:40]!r} in row {odd.row} is none. Leave empty what is not known, and "
            "write the digits 0–9 with a decimal point, without leading zeros, percent signs or anything "
            "between thousands, to have numbers."
        )
    return None


def _is_code(text: str) -> bool:
    plain = text.strip(" \t")
    return len(plain) > 1 and plain.startswith("0") and plain.isdecimal()
