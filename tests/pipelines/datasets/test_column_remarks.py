"""A column of numbers that had to become text says why, with the entry that decided it and its row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.column_remarks import ColumnCensus, is_nearly_number, remark_on_column
from pipelines.datasets.column_types import kind_of_literal, type_of_column

CELLS = [
    "7",
    "1234567890123456789",
    "12345678901234567890",
    "0.5",
    "120,5",
    "NA",
    "x",
    "true",
    "inf",
    "1 000",
]


def remark(cells: list[str]) -> str | None:
    census = ColumnCensus()
    for row, cell in enumerate(cells, start=1):
        census.see(cell, kind_of_literal(cell), row)
    return remark_on_column("bpm", census)


@given(st.lists(st.sampled_from(CELLS)))
def test_a_remark_is_made_of_columns_of_text_alone(cells: list[str]) -> None:
    if type_of_column({kind_of_literal(cell) for cell in cells}) != "text":
        assert remark(cells) is None


def test_numbers_with_decimal_commas_are_remarked_upon_with_the_first_and_its_row() -> None:
    assert "the first '120,5' in row 2" in (remark(["98", "120,5", "NA", "1,234"]) or "")
    assert remark(["jazz, cool", "120,5"]) is None


def test_numbers_that_lose_digits_as_numbers_are_remarked_upon() -> None:
    assert "'12345678901234567890' (row 1)" in (remark(["12345678901234567890", "1"]) or "")
    assert "every digit" in (remark(["1234567890123456789.0", "0.5"]) or "")
    assert "every digit" in (remark(["1234567890123456789", "0.5"]) or "")
    assert remark(["1234567890123456789"]) is None
    assert remark(["1234567890123456789", "2"]) is None


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["120", "98.5", "inf", "130", "-Infinity"], "'inf' in row 3"),
        (["980", "1 000", "1 200"], "'1 000' in row 2"),
        (["1\u202f000", "2\xa0500"], r"'1\u202f000' in row 1"),
        (["1,234,567", "1,000"], "'1,234,567' in row 1"),
        (["1'000.5", "3"], '"1\'000.5" in row 1'),
        (["1_000", "12"], "'1_000' in row 1"),
        (["12", "１２"], "'１２' in row 2"),
        (["12", "−3"], "'−3' in row 2"),
        (["NA", "120", "98", "unknown", "?", "7", "8"], "'unknown' in row 4"),
        (["120", "98", "0120", "true", "7"], "'true' in row 4"),
        (["98", "120,5", "fast", "7"], "'120,5' in row 2"),
    ],
)
def test_what_keeps_a_column_of_numbers_from_being_one_is_named(cells: list[str], said: str) -> None:
    found = remark(cells) or ""
    assert (found.count(said), "Column 'bpm' is text" in found) == (1, True)


@pytest.mark.parametrize(
    "cells",
    [
        ["007", "120"],
        ["007", "120", "121"],
        ["rock", "jazz", "inf"],
        ["4/4", "3/4"],
        ["blink", "182"],
        ["2024-01-01", "2024-01-02"],
        ["12 34", "56 78"],
        ["a"],
        [],
    ],
)
def test_columns_of_text_and_codes_are_left_in_peace(cells: list[str]) -> None:
    assert remark(cells) is None


@pytest.mark.parametrize("text", ["1e5", "1.5", "12", "-3"])
def test_numbers_of_tables_are_not_nearly_numbers(text: str) -> None:
    assert not is_nearly_number(text)
