"""What is a number, a truth value, missing or text in a table."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas._libs.parsers import STR_NA_VALUES

from pipelines.datasets.column_types import (
    MISSING,
    kind_of_literal,
    kind_of_string,
    type_of_column,
    value_of,
)
from store.records import Label


def read(cells: list[str]) -> list[Label]:
    """A column as it would be read."""
    kinds = [kind_of_literal(cell) for cell in cells]
    column = type_of_column(set(kinds))
    return [value_of(cell, kind, column) for cell, kind in zip(cells, kinds, strict=True)]


def test_the_words_for_missing_are_those_of_pandas() -> None:
    assert MISSING == STR_NA_VALUES


@pytest.mark.parametrize("word", sorted(MISSING))
def test_a_word_for_missing_leaves_the_others_numbers(word: str) -> None:
    assert read([word, "1", f" {word}"]) == [None, 1, None]
    assert kind_of_string(word) == "missing"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "3_4",
            "1_000.5",
            "１２",
            "٣",
            "infinity",
            "inf",
            "-Infinity",
            "0x1F",
            "1e",
            "e5",
            ".",
            "-",
            "1.2.3",
        ),
        *(
            "007",
            "-01",
            "00.5",
            "1,000",
            "120,5",
            "1e999",
            "1e-999",
            "1 2",
            "½",
            "1d",
            "1f",
            "none",
            "9" * 40,
            "1234567890123456789.0",
            "9007199254740993.0",
            "-9007199254740993.",
            "9007199254740992.25",
            "12345678901234567890e0",
            "1234567890123456789e1",
            "90071992547409930e-1",
        ),
    ],
)
def test_what_python_or_others_take_for_a_number_stays_text(text: str) -> None:
    assert read([text]) == [text]
    assert read(["1", text]) == ["1", text]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("-7", -7), ("+5", 5), (" 12 ", 12), ("1.", 1.0), (".5", 0.5), ("-0.5", -0.5)),
        *(("1E+3", 1000.0), ("0.0", 0.0), ("0e9", 0.0), ("9007199254740993", 2**53 + 1)),
        *((str(-(2**63)), -(2**63)), ("9007199254740992.0", 2.0**53), ("1e23", 1e23), ("1e22", 1e22)),
        *(("3.6666666666666667", 11 / 3), ("0.1000000000000000055511151231257827", 0.1), ("1e300", 1e300)),
    ],
)
def test_a_number_is_what_is_written_like_one(text: str, number: float) -> None:
    (found,) = read([text])
    assert (found, type(found)) == (number, type(number))


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_integer_of_64_bits_keeps_every_digit(number: int) -> None:
    assert read([str(number)]) == [number]


@given(st.lists(st.integers(), min_size=1))
def test_integers_are_never_rounded(numbers: list[int]) -> None:
    assert [int(str(value)) for value in read([str(number) for number in numbers])] == numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_what_is_written_as_a_float_is_read_as_that_float_or_as_it_was_written(numbers: list[float]) -> None:
    for text, value in zip(map(repr, numbers), read(list(map(repr, numbers))), strict=True):
        assert value in (float(text), text)


@given(
    st.integers(2**53, 10**40) | st.integers(2**53, 2**53 + 9),
    st.sampled_from(["{}.0", "{}.", "{}e0", "+{}.000", "{}0e-1"]),
)
def test_no_whole_number_loses_a_digit_however_it_is_written(number: int, form: str) -> None:
    (value,) = read([text := form.format(number)])
    assert value == text or (isinstance(value, float) and int(value) == number) or _shortest(value) == number


def _shortest(value: Label) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal("NaN")


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["{!r}", "{:.18e}", "{:.16e}", "{:.25g}"]),
)
def test_numbers_that_programs_write_are_numbers(number: float, form: str) -> None:
    text = form.format(number)
    assert kind_of_literal(text) in ("decimal", "integer", "long", "huge")
    assert "e" not in text or read([text]) == [number]


@given(
    st.lists(
        st.text(st.characters(categories=["Nd", "Nl", "P", "L"]) | st.sampled_from("0123456789.eE+-_")),
        min_size=1,
    )
)
def test_no_column_says_another_number_than_its_text(cells: list[str]) -> None:
    """Whatever became a number has the value that decimal arithmetic gives its text."""
    for cell, value in zip(cells, read(cells), strict=True):
        if isinstance(value, bool | str) or value is None:
            assert value is None or str(value).lower() == cell.lower()
        elif isinstance(value, int):
            assert Decimal(value) == Decimal(cell)
        else:
            assert abs(Decimal(value) - Decimal(cell)) <= abs(Decimal(cell)) * Decimal(2) ** -52


def test_a_19_digit_id_beside_a_decimal_number_makes_all_of_them_text() -> None:
    cells = ["1234567890123456789", "1234567890123456790", "0.5"]
    assert read(cells) == cells
