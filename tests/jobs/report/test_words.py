"""Words that tell one way to steer from another."""

import pytest

from jobs.report.sweeps import word_for


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("schedule", "constant monitor:0.9", "monitor:0.9"),
        ("schedule", "linear-up monitor:0.9", "linear-up monitor:0.9"),
        ("layers", [3], "layer 3"),
        ("layers", [2, 3], "layers 2,3"),
        ("alpha", None, "α auto"),
        ("alpha", 0.25, "α 0.25"),
    ],
)
def test_a_value_is_understood_without_its_column(column: str, value: object, word: str) -> None:
    assert word_for(column, value) == word
