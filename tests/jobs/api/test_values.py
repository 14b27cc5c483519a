"""Layers as values of Python: whole numbers from 0 on in any form, and nothing else."""

from typing import Any

import numpy as np
import pytest

from jobs.api.values import layers_text
from store.errors import InvalidInput


@pytest.mark.parametrize(
    ("layers", "text"),
    [(None, "all"), (3, "3"), (range(4, 7), "4,5,6"), ([0, 5], "0,5"), (np.arange(2), "0,1")],
)
def test_layers_are_written_as_an_option_has_them(layers: Any, text: str) -> None:
    assert layers_text(layers) == text


@pytest.mark.parametrize("layers", [[], [True], False, [-1], [1.5], ["3"]])
def test_what_is_no_layer_is_refused(layers: Any) -> None:
    with pytest.raises(InvalidInput, match="whole numbers from 0 on"):
        layers_text(layers)
