"""Layer numbers are read in one place, so that every command takes and refuses the same."""

import time

import pytest

from jobs.places import first_missing, parse_layer_ranges, parse_layers
from store.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("all", tuple(range(12))),
        ("4-4", (4,)),
        ("0,5,11", (0, 5, 11)),
        (" 4 - 7 , 9", (4, 5, 6, 7, 9)),
        ("9,4-6,5,9", (4, 5, 6, 9)),
    ],
)
def test_numbers_and_ranges_are_read_in_order_and_each_once(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text, 12) == layers


@pytest.mark.parametrize(
    "text",
    [
        "7-4",
        "7-6",
        "1,3-2",
        "-1",
        "4-",
        "-",
        "",
        " ",
        "1,,2",
        "1,",
        "4--7",
        "1.5",
        "x",
        "４",
        "1_0",
        "4:7",
        "all,3",
        "-4--2",
    ],
)
def test_what_names_no_layers_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="Layers"):
        parse_layers(text, 12)


def test_a_reversed_range_is_answered_with_the_right_one() -> None:
    with pytest.raises(InvalidInput, match="7-4 runs backwards; write 4-7"):
        parse_layer_ranges("7-4")


def test_a_range_beyond_the_model_is_refused_before_it_is_counted_out() -> None:
    started = time.process_time()
    with pytest.raises(InvalidInput, match="0–11"):
        parse_layers("0-999999999", 12)
    ranges = parse_layer_ranges("0-999999999")
    assert ranges is not None
    assert first_missing(ranges, [0, 1, 2]) == 3
    assert time.process_time() - started < 1
