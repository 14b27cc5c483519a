"""Labels that differ look different, and ordinary ones look as they are."""

import ast

import pytest

from jobs.dataset.printing import shown


@pytest.mark.parametrize("name", ["rock", "drum & bass", "Ça ira", "音楽", "it's", "4/4", "-3.5"])
def test_an_ordinary_label_is_shown_as_it_is(name: str) -> None:
    assert shown(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rock ",
        " rock",
        "ro  ck",
        "ro\u200bck",
        "rock\xa0",
        "hip\xa0hop",
        "\ufeffrock",
        "ro\tck",
        "\u202erock",
        "C\u0327a",
    ],
)
def test_what_no_reader_sees_is_quoted_and_escaped(name: str) -> None:
    said = shown(name)
    assert (said[0], said[-1]) == ("'", "'")
    assert all(letter.isprintable() for letter in said)
    assert ast.literal_eval(said) == name
    assert "\u0327" not in said
